//! The service's two lists as the contract's one: models by themselves, and profiles that serve a
//! model across regions.
//!
//! Not a catalog: what the service does not say is not claimed, except tools, which nearly all
//! models have.

use std::collections::BTreeMap;

use hydroid_component::provider::{Features, Model};

use crate::family::Family;
use crate::wire::{ListedModel, Profile};

/// The models that can be asked: those served by themselves, and profiles.
pub fn models(listed: &[ListedModel], profiles: Vec<Profile>) -> Vec<Model> {
    let writes = |model: &&ListedModel| has(&model.output_modalities, "TEXT");
    let by_arn: BTreeMap<&str, &ListedModel> =
        listed.iter().filter(writes).map(|model| (name_of(&model.model_arn), model)).collect();
    let own = listed
        .iter()
        .filter(writes)
        .filter(|model| has(&model.inference_types_supported, "ON_DEMAND"))
        .map(|model| self::model(&model.model_id, model.model_name.as_deref(), model));
    let across = profiles.into_iter().filter_map(|profile| {
        let served =
            profile.models.iter().find_map(|model| by_arn.get(name_of(&model.model_arn)))?;
        // Profiles that a person made have an identifier only inside their address.
        let id = match profile.kind.as_str() {
            "APPLICATION" => &profile.inference_profile_arn,
            _ => &profile.inference_profile_id,
        };
        Some(self::model(id, profile.inference_profile_name.as_deref(), served))
    });
    own.chain(across).collect()
}

/// Regions differ in the addresses of one model; its name is behind the last slash.
fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn has(values: &[String], wanted: &str) -> bool {
    values.iter().any(|value| value == wanted)
}

fn model(id: &str, name: Option<&str>, listed: &ListedModel) -> Model {
    let takes = |modality: &str| has(&listed.input_modalities, modality);
    let claims = [
        (listed.response_streaming_supported, Features::STREAMING),
        (takes("IMAGE"), Features::IMAGES),
        (takes("SPEECH") || takes("AUDIO"), Features::AUDIO),
        (Family::of(&listed.model_id).caches(&listed.model_id), Features::CACHING),
    ];
    let features = claims
        .into_iter()
        .filter(|(claimed, _)| *claimed)
        .fold(Features::TOOLS, |all, (_, feature)| all | feature);
    Model {
        id: id.to_owned(),
        name: name.unwrap_or(id).to_owned(),
        context: None,
        max_output: None,
        features,
        options_json: None,
    }
}
