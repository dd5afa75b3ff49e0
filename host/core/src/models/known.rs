//! What the host asks of the catalog: facts about a model, whether the configured one is known,
//! and whether its price is. The configuration wins over the catalog, and the person's overlay
//! over the snapshot. It reads a provider of the snapshot when it is asked about it first.

use super::{Catalog, CatalogError, Modality, Model, Provider, Services, Wanted, suggestions};
use crate::config::{Config, Prices};
use crate::money::{PriceList, Rates};
use crate::reliability::ModelRef;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Gives the snapshot's text. It is asked once, and only if something has to be looked up.
type Snapshot = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// A provider as it was read; none if the catalog has none of that name.
type Read = Result<Option<Arc<Provider>>, CatalogError>;

/// What is known of models.
pub struct Models {
    snapshot: Snapshot,
    text: OnceLock<Result<String, String>>,
    overlay: Option<String>,
    services: Services,
    configured: Configured,
    /// Held only to look something up.
    read: Mutex<BTreeMap<String, Read>>,
}

/// What the configuration says of models.
struct Configured {
    provider: String,
    name: String,
    catalog: Option<String>,
    skip_validation: bool,
    /// What stands above the catalog, by component and model.
    overrides: BTreeMap<(String, String), Override>,
    /// The models beside the main one, each with the keys that would say what it costs.
    others: Vec<(ModelRef, String)>,
    base_urls: BTreeMap<String, String>,
    /// The component that each instance is of.
    instances: BTreeMap<String, String>,
    budgets: Vec<&'static str>,
}

/// What the configuration says of one model.
struct Override {
    context: Option<u32>,
    output: Option<u32>,
    prices: Prices,
}

/// What is known of one model. What is not there is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Context window in tokens.
    pub context: Option<u32>,
    /// Most input tokens, where the window leaves room for more.
    pub input: Option<u32>,
    /// Most output tokens.
    pub output: Option<u32>,
    /// What goes in; empty when not known.
    pub takes: BTreeSet<Modality>,
    /// It calls tools.
    pub tool_call: Option<bool>,
    /// It thinks before it answers.
    pub reasoning: Option<bool>,
    /// A sampling temperature can be set.
    pub temperature: Option<bool>,
    /// What it costs.
    pub prices: PriceList,
}

/// The configured model is not among those of its provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model catalog has no `{model}` of `{provider}`{hint}; `hydroid model list --provider {provider}` lists them, `hydroid model update` brings the catalog up to date, and `hydroid config set model.skip_validation true` uses it all the same"
)]
pub struct UnknownModel {
    /// The provider in the catalog.
    pub provider: String,
    /// The model.
    pub model: String,
    /// A suggestion, or nothing.
    pub hint: String,
}

/// A budget of money is set and nobody can tell what the model costs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{key}` needs the price of `{model}`, which {why}: set {place} (US dollars per million tokens, 0 for a model that costs nothing), or take `{key}` out"
)]
pub struct Unpriced {
    /// The budget's key.
    pub key: &'static str,
    /// The model.
    pub model: String,
    why: &'static str,
    /// The keys that would say what it costs.
    place: String,
}

impl Models {
    /// What this configuration, a snapshot and an overlay know. The overlay is read at once, so
    /// that a mistake in it is found before anything is asked.
    pub fn new(
        config: &Config,
        snapshot: Snapshot,
        overlay: Option<String>,
        services: Services,
    ) -> Result<Self, CatalogError> {
        if let Some(overlay) = &overlay {
            Catalog::read("{}", Some(overlay), Wanted::All)?;
        }
        let base_urls = config.components.iter().filter_map(|(name, component)| {
            let base_url = component.config.get("base_url")?.as_str()?;
            Some((name.clone(), base_url.to_owned()))
        });
        let instances = config
            .components
            .iter()
            .filter_map(|(name, component)| Some((name.clone(), component.component.clone()?)));
        let model = &config.model;
        let own = Override {
            context: model.context_tokens,
            output: model.max_output_tokens,
            prices: model.prices,
        };
        let mut overrides = BTreeMap::new();
        let mut others = Vec::new();
        for (key, other) in model.others() {
            let place = format!("`prices = {{ input = …, output = … }}` in `{key}`");
            others.push((other.model(), place));
            let prices = Override { context: None, output: None, prices: other.prices };
            // The first word on a model counts, and the main one's comes before all.
            overrides.entry((other.provider.clone(), other.name.clone())).or_insert(prices);
        }
        overrides.insert((model.provider.clone(), model.name.clone()), own);
        let configured = Configured {
            provider: model.provider.clone(),
            name: model.name.clone(),
            catalog: model.catalog.clone(),
            skip_validation: model.skip_validation,
            overrides,
            others,
            base_urls: base_urls.collect(),
            instances: instances.collect(),
            budgets: config.money_budgets().into_iter().map(|budget| budget.key).collect(),
        };
        Ok(Self {
            snapshot,
            text: OnceLock::new(),
            overlay,
            services,
            configured,
            read: Mutex::default(),
        })
    }

    /// The provider of the catalog that a component speaks to; none for one the catalog does not
    /// know, such as a server of one's own.
    pub fn catalog_of(&self, component: &str) -> Option<&str> {
        let configured = &self.configured;
        if let Some(catalog) =
            configured.catalog.as_deref().filter(|_| component == configured.provider)
        {
            return Some(catalog).filter(|catalog| !catalog.is_empty());
        }
        self.services.catalog_of(self.bytes_of(component), self.base_url(component))
    }

    /// The component itself, where it has another name.
    fn bytes_of<'a>(&'a self, component: &'a str) -> &'a str {
        self.configured.instances.get(component).map_or(component, String::as_str)
    }

    fn base_url(&self, component: &str) -> Option<&str> {
        self.configured.base_urls.get(component).map(String::as_str)
    }

    /// What is known of a component's model, the configuration's word included.
    pub fn facts(&self, component: &str, model: &str) -> Result<Facts, CatalogError> {
        let found = match self.catalog_of(component) {
            None => None,
            Some(id) => self.provider(id)?,
        };
        let found = found.as_ref().and_then(|provider| self.listed(component, provider, model));
        let mut facts = found.map(Facts::of).unwrap_or_default();
        if self.services.is_free(self.bytes_of(component), self.base_url(component)) {
            facts.prices = PriceList::free();
        }
        let key = (component.to_owned(), model.to_owned());
        let Some(own) = self.configured.overrides.get(&key) else { return Ok(facts) };
        Ok(Facts {
            context: own.context.or(facts.context),
            output: own.output.or(facts.output),
            prices: facts.prices.overridden(Rates::configured(&own.prices)),
            ..facts
        })
    }

    /// What is wrong with the configured model; nothing if the catalog knows it, does not know
    /// its provider, or is not to be asked. A component that offers it proves the catalog wrong,
    /// which the caller can find out.
    pub fn unknown(&self) -> Result<Option<UnknownModel>, CatalogError> {
        let configured = &self.configured;
        let Some(id) = self.catalog_of(&configured.provider) else { return Ok(None) };
        let Some(provider) = self.provider(id)? else {
            return match &configured.catalog {
                // The table of services may be ahead of a snapshot that a person chose.
                None => Ok(None),
                Some(_) => Err(self.no_such_provider(id)),
            };
        };
        let listed = self.listed(&configured.provider, &provider, &configured.name);
        if configured.skip_validation || listed.is_some() {
            return Ok(None);
        }
        let known = provider.models.keys().map(String::as_str);
        Ok(Some(UnknownModel {
            provider: id.to_owned(),
            model: configured.name.clone(),
            hint: suggestions(&configured.name, known),
        }))
    }

    fn listed<'a>(
        &self,
        component: &str,
        provider: &'a Provider,
        model: &str,
    ) -> Option<&'a Model> {
        let base_url = self.base_url(component);
        self.services
            .listed_as(self.bytes_of(component), base_url, model)
            .find_map(|name| provider.models.get(name))
    }

    /// The first budget of money that cannot be kept with the configured model, or with one that
    /// may answer instead.
    pub fn unpriced(&self) -> Result<Option<Unpriced>, CatalogError> {
        let Some(key) = self.configured.budgets.first() else { return Ok(None) };
        let configured = &self.configured;
        let others = configured
            .others
            .iter()
            .map(|(other, place)| (other.provider.as_str(), other.model.as_str(), place.clone()));
        let place = "`model.prices.input` and `model.prices.output`".to_owned();
        let main = (configured.provider.as_str(), configured.name.as_str(), place);
        for (component, model, place) in std::iter::once(main).chain(others) {
            if self.facts(component, model)?.prices.is_known() {
                continue;
            }
            let why = match self.catalog_of(component) {
                None => "no catalog has: its component speaks to a service of your own",
                Some(_) => "the catalog does not have",
            };
            return Ok(Some(Unpriced { key, model: model.to_owned(), why, place }));
        }
        Ok(None)
    }

    /// A provider of the catalog, with the overlay over it.
    pub fn provider(&self, id: &str) -> Read {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(id.to_owned()).or_insert_with(|| self.read(id)).clone()
    }

    /// Everything, with the overlay over it.
    pub fn all(&self) -> Result<Catalog, CatalogError> {
        Catalog::read(self.text()?, self.overlay.as_deref(), Wanted::All)
    }

    fn read(&self, id: &str) -> Read {
        let overlay = self.overlay.as_deref();
        let mut catalog = Catalog::read(self.text()?, overlay, Wanted::Only(id))?;
        Ok(catalog.providers.remove(id).map(Arc::new))
    }

    fn text(&self) -> Result<&str, CatalogError> {
        let text = self.text.get_or_init(|| (self.snapshot)());
        text.as_deref().map_err(|problem| CatalogError::Json(problem.clone()))
    }

    fn no_such_provider(&self, id: &str) -> CatalogError {
        let hint = self.all().map_or_else(
            |_| String::new(),
            |all| suggestions(id, all.providers.keys().map(String::as_str)),
        );
        CatalogError::Provider {
            provider: id.to_owned(),
            problem: format!(
                "`model.catalog` names it, and the catalog has none of that name{hint}; `hydroid model list` shows the providers"
            ),
        }
    }
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models").field("overlay", &self.overlay.is_some()).finish_non_exhaustive()
    }
}

impl Facts {
    /// What the catalog says.
    pub fn of(model: &Model) -> Self {
        Self {
            context: model.limit.context(),
            input: model.limit.input(),
            output: model.limit.output(),
            takes: model.modalities.input.clone(),
            tool_call: model.tool_call,
            reasoning: model.reasoning,
            temperature: model.temperature,
            prices: model.cost.prices(),
        }
    }
}
