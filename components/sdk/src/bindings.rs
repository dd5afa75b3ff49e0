//! The contract, generated once from `wit/`; every role shares one set of types.

#![allow(missing_docs, reason = "documented in wit/, from which this is generated")]

/// Imports: the vocabulary of `hydroid:core` and every capability of `hydroid:cap`.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit/host",
        world: "hydroid:host/all-capabilities",
        generate_all,
    });
}

/// Exports of a tool component.
pub mod tool {
    wit_bindgen::generate!({
        path: "../../wit/tool",
        world: "hydroid:tool/tool-world",
        pub_export_macro: true,
        default_bindings_module: "hydroid_component::bindings::tool",
        with: {
            "hydroid:core/types@0.1.0": crate::bindings::imports::hydroid::core::types,
            "hydroid:core/log@0.1.0": crate::bindings::imports::hydroid::core::log,
            "hydroid:core/config@0.1.0": crate::bindings::imports::hydroid::core::config,
            "hydroid:core/control@0.1.0": crate::bindings::imports::hydroid::core::control,
        },
    });
}

/// Exports of a channel component, and its inbox.
pub mod channel {
    wit_bindgen::generate!({
        path: "../../wit/channel",
        world: "hydroid:channel/channel-world",
        pub_export_macro: true,
        default_bindings_module: "hydroid_component::bindings::channel",
        with: {
            "hydroid:core/types@0.1.0": crate::bindings::imports::hydroid::core::types,
            "hydroid:core/log@0.1.0": crate::bindings::imports::hydroid::core::log,
            "hydroid:core/config@0.1.0": crate::bindings::imports::hydroid::core::config,
            "hydroid:core/control@0.1.0": crate::bindings::imports::hydroid::core::control,
            "hydroid:cap/kv@0.1.0": crate::bindings::imports::hydroid::cap::kv,
            "hydroid:cap/secrets@0.1.0": crate::bindings::imports::hydroid::cap::secrets,
            "hydroid:cap/web@0.1.0": crate::bindings::imports::hydroid::cap::web,
        },
        generate_all,
    });
}

/// Exports of an embedder component.
pub mod embedder {
    wit_bindgen::generate!({
        path: "../../wit/embedder",
        world: "hydroid:embedder/embedder-world",
        pub_export_macro: true,
        default_bindings_module: "hydroid_component::bindings::embedder",
        with: {
            "hydroid:core/types@0.1.0": crate::bindings::imports::hydroid::core::types,
            "hydroid:core/log@0.1.0": crate::bindings::imports::hydroid::core::log,
            "hydroid:core/config@0.1.0": crate::bindings::imports::hydroid::core::config,
            "hydroid:core/control@0.1.0": crate::bindings::imports::hydroid::core::control,
        },
    });
}

/// Exports of a parser component.
pub mod parser {
    wit_bindgen::generate!({
        path: "../../wit/parser",
        world: "hydroid:parser/parser-world",
        pub_export_macro: true,
        default_bindings_module: "hydroid_component::bindings::parser",
        with: {
            "hydroid:core/types@0.1.0": crate::bindings::imports::hydroid::core::types,
            "hydroid:core/log@0.1.0": crate::bindings::imports::hydroid::core::log,
            "hydroid:core/config@0.1.0": crate::bindings::imports::hydroid::core::config,
            "hydroid:core/control@0.1.0": crate::bindings::imports::hydroid::core::control,
        },
    });
}

/// Exports of a provider component.
pub mod provider {
    wit_bindgen::generate!({
        path: "../../wit/provider",
        world: "hydroid:provider/provider-world",
        pub_export_macro: true,
        default_bindings_module: "hydroid_component::bindings::provider",
        with: {
            "hydroid:core/types@0.1.0": crate::bindings::imports::hydroid::core::types,
            "hydroid:core/log@0.1.0": crate::bindings::imports::hydroid::core::log,
            "hydroid:core/config@0.1.0": crate::bindings::imports::hydroid::core::config,
            "hydroid:core/control@0.1.0": crate::bindings::imports::hydroid::core::control,
        },
    });
}

/// Exports of a hook component.
pub mod hook {
    wit_bindgen::generate!({
        path: "../../wit/hook",
        world: "hydroid:hook/hook-world",
        pub_export_macro: true,
        default_bindings_module: "hydroid_component::bindings::hook",
        with: {
            "hydroid:core/types@0.1.0": crate::bindings::imports::hydroid::core::types,
            "hydroid:core/log@0.1.0": crate::bindings::imports::hydroid::core::log,
            "hydroid:core/config@0.1.0": crate::bindings::imports::hydroid::core::config,
            "hydroid:core/control@0.1.0": crate::bindings::imports::hydroid::core::control,
        },
    });
}
