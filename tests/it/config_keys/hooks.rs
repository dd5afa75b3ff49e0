//! `hooks.*`: a hook that is listed is asked, and one that cannot be asked stops what it guards.

use super::{Tested, check, run};
use crate::support::hydroid::Home;

pub(super) const TESTED: &[Tested<Home>] = &[("hooks.use", in_use)];

#[test]
fn settings_of_hooks_have_an_effect() {
    check(&Home::new(), TESTED);
}

fn in_use(home: &Home) {
    run(home, &[], &["ask", "say hello"]).code(0).says("hello");
    let alarm = [
        "hooks.use=[\"hook-cost-alarm\"]",
        "components.hook-cost-alarm.config={dollars_a_day=0, action=\"stop\"}",
    ];
    run(home, &alarm, &["ask", "say hello"]).code(3).tells("the alarm is set to $0");
    run(home, &alarm, &["doctor"]).says("the hook `hook-cost-alarm` is asked");
    let gone = ["hooks.use=[\"hook-cost-alram\"]"];
    run(home, &gone, &["ask", "say hello"]).code(3).tells("did you mean `hook-cost-alarm`");
    run(home, &gone, &["doctor"]).code(1).says("is not installed");
}
