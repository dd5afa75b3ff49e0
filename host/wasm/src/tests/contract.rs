//! Components built for each released version of the contract, as they were built then: every one
//! that is served is loaded and called. `UPDATE=1` takes those of the current version from the
//! build anew, as long as that is not released.

use super::{built, context, scene, text};
use crate::contract::{CONTRACT, TRACKS};
use hydroid_core::id::ComponentId;
use hydroid_core::message::Message;
use hydroid_core::ports::{Model, ModelEvent, ModelRequest, Tools};
use std::path::PathBuf;

/// A tool and a provider, the smallest that do something.
const KEPT: [&str; 2] = ["test-tool-pure", "provider-rehearsal"];

fn folder(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/contract").join(version)
}

#[tokio::test]
async fn components_of_every_contract_that_is_served_are_called() {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(folder(CONTRACT)).unwrap();
        for name in KEPT {
            std::fs::write(folder(CONTRACT).join(format!("{name}.wasm")), built(name)).unwrap();
        }
    }
    for track in &TRACKS {
        let scene = scene(&[], "");
        let components = scene.directory.path().join("components");
        std::fs::create_dir_all(&components).unwrap();
        for name in KEPT {
            let file = format!("{name}.wasm");
            std::fs::copy(folder(track.version).join(&file), components.join(&file))
                .unwrap_or_else(|error| panic!("{name} of {}: {error}", track.version));
        }
        scene.catalog.refresh().unwrap();

        let tool = scene.loaded("test-tool-pure");
        assert!(tool.definitions.len() > 10, "{:?}", tool.definitions);
        assert_eq!(scene.catalog.specs().len(), tool.definitions.len());
        let echoed = scene.call("echo", r#"{"text":"still here"}"#).await;
        assert_eq!(text(&echoed), "still here", "{}", track.version);
        let configured = scene.call("greet", r#"{"name":"you"}"#).await;
        assert_eq!(text(&configured), "hello you", "{}", track.version);
        assert!(scene.call("panic", "{}").await.is_error);

        let provider = scene.loaded("provider-rehearsal");
        assert_eq!(provider.role, crate::check::Role::Provider);
        let models = scene.catalog.models("provider-rehearsal").await.unwrap();
        assert!(!models.is_empty(), "{}", track.version);
        let request = ModelRequest {
            provider: ComponentId::new("provider-rehearsal"),
            model: "rehearsal".into(),
            system: "You are a test.".into(),
            messages: vec![Message::user("hi")],
            tools: scene.catalog.specs(),
            max_tokens: None,
            temperature: None,
            options: None,
        };
        let mut answer = scene.catalog.complete(request, context()).await.unwrap();
        let mut last = None;
        while let Some(event) = answer.next().await.unwrap().pop() {
            last = Some(event);
        }
        assert!(matches!(last, Some(ModelEvent::Finished(_))), "{last:?}");
    }
    // What is here and not served would never be called.
    let kept = std::fs::read_dir(folder(CONTRACT).parent().unwrap()).unwrap();
    for version in kept.map(|entry| entry.unwrap().file_name()) {
        let version = version.into_string().unwrap();
        assert!(TRACKS.iter().any(|track| track.version == version), "{version} is not served");
    }
}
