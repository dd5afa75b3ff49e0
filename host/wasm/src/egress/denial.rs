//! Why no grant covers a request, and the command that would allow it.

use super::target::Target;
use hydroid_core::capability::{PathPrefix, WebRefusal, is_method};
use hydroid_core::id::ComponentId;
use std::fmt;

/// Path shown at the most; what is longer is cut.
const SHOWN_PATH: usize = 200;

/// A request that no grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    component: ComponentId,
    method: String,
    place: String,
    path: String,
    refusal: WebRefusal,
}

impl Denial {
    pub(super) fn new(
        component: &ComponentId,
        method: &str,
        target: &Target,
        refusal: WebRefusal,
    ) -> Self {
        // What a caller may not do is the caller's to be granted.
        let (component, refusal) = match refusal {
            WebRefusal::OfCaller(caller, refusal) => (caller, *refusal),
            own => (component.clone(), own),
        };
        Self {
            component,
            method: method.chars().take(20).collect(),
            place: target.grantable(),
            path: target.url().path().to_owned(),
            refusal,
        }
    }

    /// The command that allows exactly this much more; none if no grant can.
    pub fn command(&self) -> Option<String> {
        let Self { component, method, place, .. } = self;
        let command = format!("hydroid component grant {component} web --host {place}");
        let path = PathPrefix::of_url(&self.path).unwrap_or_default();
        match &self.refusal {
            WebRefusal::Undeclared(_) | WebRefusal::OfCaller(..) => None,
            WebRefusal::Host | WebRefusal::Ambiguous => Some(command),
            WebRefusal::Path => Some(format!("{command}{path}")),
            WebRefusal::Method if !is_method(method) => None,
            WebRefusal::Method => Some(format!("{command}{path} --method {method}")),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { component, method, place, refusal, .. } = self;
        let path: String = self.path.chars().take(SHOWN_PATH).collect();
        write!(f, "`{component}` may not send {method} to `{place}{path}`: ")?;
        match refusal {
            WebRefusal::Undeclared(declared) => {
                let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
                return write!(
                    f,
                    "its manifest declares only {}, and no grant allows another method",
                    declared.join(", ")
                );
            }
            WebRefusal::Host | WebRefusal::OfCaller(..) => write!(f, "no grant covers the host")?,
            WebRefusal::Path => write!(f, "no grant covers the path")?,
            WebRefusal::Ambiguous => {
                write!(
                    f,
                    "servers differ in how they read the path, so only a grant of the whole host covers it"
                )?;
            }
            WebRefusal::Method => write!(f, "no grant covers the method")?,
        }
        match self.command() {
            Some(command) => write!(f, "; a person can allow it with `{command}`"),
            None => write!(f, "; a method a grant can name is upper case, like `GET`"),
        }
    }
}
