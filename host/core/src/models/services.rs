//! Which provider of the catalog a component speaks to: by its name and the address it is
//! configured with. The table is data; no component is named here.

use serde::Deserialize;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    #[serde(default, rename = "service")]
    rows: Vec<Service>,
}

/// One row: a component that is configured so speaks to that provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    component: String,
    /// Its `base_url`; without one the row is about a component that is configured with none.
    base_url: Option<String>,
    catalog: Option<String>,
    /// What the service writes before the name of a model to say where it runs.
    #[serde(default)]
    prefixes: Vec<String>,
    /// It runs on this machine and costs nothing.
    #[serde(default)]
    free: bool,
}

/// A table that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table of services cannot be read: {0}")]
pub struct BadServices(String);

impl Services {
    /// Reads the table.
    pub fn parse(text: &str) -> Result<Self, BadServices> {
        toml::from_str(text).map_err(|error| BadServices(error.to_string().trim().to_owned()))
    }

    /// The provider in the catalog, by a component's name and its `base_url` if that is
    /// configured; none for a service that no row is about, such as a server of one's own.
    pub fn catalog_of(&self, component: &str, base_url: Option<&str>) -> Option<&str> {
        self.row(component, base_url)?.catalog.as_deref()
    }

    /// The names under which the catalog may have a model of the component: as it is, then without
    /// what only says where it runs.
    pub fn listed_as<'a>(
        &'a self,
        component: &str,
        base_url: Option<&str>,
        model: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let prefixes = self.row(component, base_url).map(|row| row.prefixes.as_slice());
        let without = prefixes.unwrap_or_default().iter();
        std::iter::once(model)
            .chain(without.filter_map(move |prefix| model.strip_prefix(prefix.as_str())))
    }

    /// True for a component that answers at no cost, configured so.
    pub fn is_free(&self, component: &str, base_url: Option<&str>) -> bool {
        self.row(component, base_url).is_some_and(|row| row.free)
    }

    fn row(&self, component: &str, base_url: Option<&str>) -> Option<&Service> {
        self.rows.iter().find(|row| {
            row.component == component
                && row.base_url.as_deref().map(trimmed) == base_url.map(trimmed)
        })
    }
}

fn trimmed(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_told_by_its_address() {
        let services = Services::parse(
            "[[service]]\ncomponent = \"p\"\ncatalog = \"a\"\n\
             [[service]]\ncomponent = \"p\"\nbase_url = \"https://b.example/v1\"\ncatalog = \"b\"\n",
        )
        .unwrap();
        assert_eq!(services.catalog_of("p", None), Some("a"));
        assert_eq!(services.catalog_of("p", Some("https://b.example/v1/")), Some("b"));
        assert_eq!(services.catalog_of("p", Some("http://127.0.0.1:8080/v1")), None);
        assert_eq!(services.catalog_of("q", None), None);
        assert!(!services.is_free("p", None));
    }

    #[test]
    fn a_component_may_cost_nothing_and_speak_to_no_service() {
        let services = Services::parse("[[service]]\ncomponent = \"p\"\nfree = true\n").unwrap();
        assert!(services.is_free("p", None) && !services.is_free("q", None));
        assert!(!services.is_free("p", Some("https://elsewhere.example")));
        assert_eq!(services.catalog_of("p", None), None);
    }

    #[test]
    fn a_model_is_listed_without_what_says_where_it_runs() {
        let services = Services::parse(
            "[[service]]\ncomponent = \"p\"\ncatalog = \"a\"\nprefixes = [\"us.\", \"eu.\"]\n",
        )
        .unwrap();
        let names = |component: &str, model: &'static str| -> Vec<String> {
            services.listed_as(component, None, model).map(str::to_owned).collect()
        };
        assert_eq!(names("p", "eu.big"), ["eu.big", "big"]);
        assert_eq!(names("p", "big"), ["big"]);
        assert_eq!(names("q", "eu.big"), ["eu.big"]);
    }

    #[test]
    fn a_row_that_says_something_else_is_refused() {
        let error = Services::parse("[[service]]\ncomponent = \"p\"\ncatalogue = \"a\"\n");
        assert!(error.unwrap_err().to_string().contains("catalogue"));
    }
}
