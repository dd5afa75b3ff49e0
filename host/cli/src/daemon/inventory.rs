//! What is installed for a user, as clients are told.

use futures_util::future::BoxFuture;
use hydroid_core::config::Config;
use hydroid_core::models::Models;
use hydroid_core::ports::Inventory;
use hydroid_core::protocol::{InstalledComponent, ModelOffer};
use hydroid_wasm::check::Role;
use hydroid_wasm::{Catalog, Installed, Status};
use std::sync::Arc;

/// The components and models of one user.
pub(crate) struct Installation {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) models: Arc<Models>,
    pub(crate) config: Arc<Config>,
}

impl Installation {
    async fn offers(&self) -> Vec<ModelOffer> {
        let mut offers = Vec::new();
        for installed in self.catalog.installed() {
            let Status::Ready(loaded) = &installed.status else { continue };
            if loaded.role != Role::Provider {
                continue;
            }
            // One that cannot list them now is left out; the one that is configured stands below.
            let offered = self.catalog.models(&installed.name).await.unwrap_or_default();
            offers.extend(offered.into_iter().map(|model| ModelOffer {
                provider: installed.name.clone(),
                title: (model.name != model.id).then_some(model.name),
                context_tokens: model.context.map(u64::from),
                default: self.is_default(&installed.name, &model.id),
                model: model.id,
            }));
        }
        let own = &self.config.model;
        if !offers.iter().any(|offer| offer.default) {
            let facts = self.models.facts(&own.provider, &own.name).ok();
            offers.push(ModelOffer {
                provider: own.provider.clone(),
                model: own.name.clone(),
                title: None,
                context_tokens: facts.and_then(|facts| facts.context).map(u64::from),
                default: true,
            });
        }
        offers.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        offers
    }

    fn is_default(&self, provider: &str, model: &str) -> bool {
        self.config.model.provider == provider && self.config.model.name == model
    }
}

impl Inventory for Installation {
    fn components(&self) -> Vec<InstalledComponent> {
        self.catalog.installed().iter().map(|installed| component(installed)).collect()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelOffer>, String>> {
        Box::pin(async move { Ok(self.offers().await) })
    }
}

fn component(installed: &Installed) -> InstalledComponent {
    let version = installed.manifest.as_ref().map(|manifest| manifest.version.to_string());
    let (loaded, problem) = match &installed.status {
        Status::Ready(_) => (true, None),
        Status::Refused(error) => (false, Some(error.to_string())),
    };
    let version = version.unwrap_or_default();
    InstalledComponent { name: installed.name.clone(), version, loaded, problem }
}
