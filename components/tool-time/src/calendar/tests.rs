//! Days that are not 24 hours, months that are not alike, and what is no time at all.

use super::*;

fn calendar() -> Calendar {
    Calendar::new("2026-11-22T13:36:58.4Z".parse().unwrap(), "UTC").unwrap()
}

#[track_caller]
fn refusal<T: fmt::Debug>(result: Result<T, ToolError>) -> String {
    match result {
        Err(ToolError::Failed(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn check_add(time: &str, zone: &str, amount: Amount, expected: &str) {
    let sum = calendar().add(time, Some(zone), amount).unwrap();
    assert_eq!(sum.local, expected);
}

#[test]
fn now_is_given_in_the_zone_named_or_the_configured_one() {
    let here = calendar().now(None).unwrap();
    assert_eq!(here.local, "2026-11-22T13:36:58+00:00");
    let there = calendar().now(Some("Asia/Kolkata")).unwrap();
    assert_eq!(
        there.to_string(),
        "2026-11-22T19:06:58+05:30 (Asia/Kolkata), Sunday, week 2026-W47\n\
         UTC 2026-11-22T13:36:58Z, unix 1795354618"
    );
    assert_eq!(calendar().now(Some("+02:00")).unwrap().local, "2026-11-22T15:36:58+02:00");
}

#[test]
fn every_way_to_write_a_time_names_the_same_instant() {
    for (time, zone) in [
        ("2026-07-01T10:00[Europe/Berlin]", None),
        ("2026-07-01T10:00:00+02:00", Some("America/New_York")),
        ("2026-07-01T08:00:00Z", Some("America/New_York")),
        ("2026-07-01 10:00", Some("Europe/Berlin")),
        ("@1782892800", None),
    ] {
        let converted = calendar().convert(time, zone, "Asia/Tokyo").unwrap();
        assert_eq!(converted.local, "2026-07-01T17:00:00+09:00", "{time}");
    }
}

#[test]
fn a_day_is_a_calendar_day_and_24_hours_are_24_hours() {
    let day = Amount { days: 1, ..Amount::default() };
    let hours = Amount { hours: 24, ..Amount::default() };
    check_add("2026-03-28T12:00", "Europe/Berlin", day, "2026-03-29T12:00:00+02:00");
    check_add("2026-03-28T12:00", "Europe/Berlin", hours, "2026-03-29T13:00:00+02:00");
}

#[test]
fn a_month_ends_where_it_ends() {
    let month = Amount { months: 1, ..Amount::default() };
    check_add("2028-01-31", "UTC", month, "2028-02-29T00:00:00+00:00");
    let back = Amount { years: -1, ..Amount::default() };
    check_add("2028-02-29", "UTC", back, "2027-02-28T00:00:00+00:00");
}

#[test]
fn skipped_and_repeated_local_times_are_said() {
    let skipped = calendar().convert("2026-03-29T02:30", Some("Europe/Berlin"), "UTC").unwrap();
    assert!(skipped.note.unwrap().contains("skipped"));
    let twice = calendar().convert("2026-10-25T02:30", Some("Europe/Berlin"), "UTC").unwrap();
    assert_eq!(twice.local, "2026-10-25T00:30:00+00:00");
    assert!(twice.note.unwrap().contains("twice"));
}

#[test]
fn differences_count_in_the_unit_asked_for_and_may_be_negative() {
    let calendar = calendar();
    let days = calendar.difference("2026-01-01", "2026-03-04T06:00", None, None).unwrap();
    assert_eq!(days.to_string(), "62d 6h (P62DT6H, 5378400 seconds)");
    let months =
        calendar.difference("2026-01-01", "2026-03-04T06:00", None, Some(Unit::Month)).unwrap();
    assert_eq!(months.duration, "P2M3DT6H");
    let back = calendar.difference("2026-01-02", "2026-01-01", None, None).unwrap();
    assert_eq!((back.duration.as_str(), back.seconds), ("-P1D", -86_400));
    let change = calendar
        .difference("2026-03-29", "2026-03-30", Some("Europe/Berlin"), Some(Unit::Hour))
        .unwrap();
    assert_eq!(change.text, "23h");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let calendar = calendar();
    let message = refusal(calendar.now(Some("Berlin")));
    assert_eq!(message, "unknown time zone `Berlin`; did you mean `Europe/Berlin`?");
    assert!(refusal(calendar.now(Some("🦀"))).contains("use an IANA name"));
    assert!(refusal(calendar.convert("yesterday", None, "UTC")).contains("write it like"));
    for time in ["", "@", "@99999999999999999999", "2026-02-30", "2026-01-01T10:00[No/Where]", "é]"]
    {
        refusal(calendar.convert(time, None, "UTC"));
    }
    refusal(calendar.add("now", None, Amount::default()));
    refusal(calendar.add("now", None, Amount { days: 1, hours: -1, ..Amount::default() }));
    refusal(calendar.add("now", None, Amount { years: i64::MAX, ..Amount::default() }));
    refusal(calendar.add("now", None, Amount { years: 19_000, ..Amount::default() }));
    let overlap = calendar.add("now", None, Amount { weeks: i64::MIN, ..Amount::default() });
    refusal(overlap);
}
