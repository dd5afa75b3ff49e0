//! Keys about spans.

use super::{Tested, check, run};
use crate::support::hydroid::Home;
use crate::support::otlp::{Collector, attribute};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("telemetry.content", content),
    ("telemetry.headers.*", headers),
    ("telemetry.otlp_endpoint", endpoint),
    ("telemetry.sampling", sampling),
    ("telemetry.service_name", service),
];

#[test]
fn settings_of_telemetry_have_an_effect() {
    check(&Home::new(), TESTED);
}

/// A service that was told of one turn with these settings.
#[track_caller]
fn told(home: &Home, settings: &[&str]) -> Collector {
    let collector = Collector::start(200);
    let endpoint = collector.setting();
    let settings: Vec<&str> = settings.iter().copied().chain([endpoint.as_str()]).collect();
    run(home, &settings, &["ask", "say something private"]).code(0);
    collector
}

fn endpoint(home: &Home) {
    assert!(!told(home, &[]).spans().is_empty());
    for wrong in ["collector:4317", "https://user:key@otlp.example", "https://otlp.example/?k=1"] {
        let setting = format!("telemetry.otlp_endpoint={wrong}");
        run(home, &[&setting], &["config", "show"]).code(2).tells("telemetry.otlp_endpoint");
    }
    // A name that leads into a network of one's own is opened as for everybody else.
    let setting = "telemetry.otlp_endpoint=http://nobody.invalid:4318";
    run(home, &[setting], &["ask", "say hello"]).code(0).tells("telemetry.otlp_endpoint");
}

fn content(home: &Home) {
    let private = |settings: &[&str]| format!("{:?}", told(home, settings).spans());
    assert!(!private(&[]).contains("something private"));
    assert!(private(&["telemetry.content=true"]).contains("something private"));
}

fn headers(home: &Home) {
    home.write("key.txt", "Bearer a-key-of-the-collector");
    home.write("team.txt", "the-team");
    let of = |collector: &Collector| {
        vec![
            "telemetry.headers.authorization=collector".to_owned(),
            "telemetry.headers.x-team=team".to_owned(),
            "secrets.collector.file=key.txt".to_owned(),
            "secrets.team.file=team.txt".to_owned(),
            collector.setting(),
        ]
    };
    let collector = Collector::start(200);
    let settings = of(&collector);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    run(home, &settings, &["ask", "say hello"]).code(0);
    let request = collector.received().pop().expect("a request came");
    assert_eq!(request.header("authorization"), Some("Bearer a-key-of-the-collector"));
    assert_eq!(request.header("x-team"), Some("the-team"));
    // A secret goes where it may go, and one that is not there is missed.
    let elsewhere = [settings.as_slice(), &["secrets.team.hosts=[\"other.example\"]"]].concat();
    run(home, &elsewhere, &["ask", "say hello"]).code(1).tells("secrets.team.hosts");
    let missing = ["telemetry.headers.x-team=nothing", settings[4]];
    run(home, &missing, &["ask", "say hello"]).code(1).tells("hydroid secret set nothing");
    let wrong = ["telemetry.headers.\"X Team\"=team"];
    run(home, &wrong, &["config", "show"]).code(2);
}

fn sampling(home: &Home) {
    assert!(told(home, &["telemetry.sampling=0"]).received().is_empty());
    run(home, &["telemetry.sampling=2"], &["config", "show"]).code(2).tells("from 0 to 1");
}

fn service(home: &Home) {
    let collector = told(home, &["telemetry.service_name=house"]);
    let request = collector.received()[0].decoded();
    let resource = request.resource_spans[0].resource.clone().expect("a resource");
    assert_eq!(attribute(&resource.attributes, "service.name").as_deref(), Some("house"));
    run(home, &["telemetry.service_name="], &["config", "show"]).code(2).tells("service_name");
}
