//! The only `bindgen!`: one world a role from `wit/host`, all sharing one set of types.

pub(crate) mod tools {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "hydroid:host/all-tools",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:cap/secrets.secret": crate::imports::secrets::OpenSecret,
            "hydroid:cap/web.response": crate::imports::web::OpenResponse,
        },
    });
}

pub(crate) mod providers {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "hydroid:host/all-providers",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:core/types": crate::bindings::tools::hydroid::core::types,
            "hydroid:core/log": crate::bindings::tools::hydroid::core::log,
            "hydroid:core/config": crate::bindings::tools::hydroid::core::config,
            "hydroid:core/control": crate::bindings::tools::hydroid::core::control,
            "hydroid:cap": crate::bindings::tools::hydroid::cap,
        },
    });
}

pub(crate) mod channels {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "hydroid:host/all-channels",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:core/types": crate::bindings::tools::hydroid::core::types,
            "hydroid:core/log": crate::bindings::tools::hydroid::core::log,
            "hydroid:core/config": crate::bindings::tools::hydroid::core::config,
            "hydroid:core/control": crate::bindings::tools::hydroid::core::control,
            "hydroid:cap": crate::bindings::tools::hydroid::cap,
        },
    });
}

pub(crate) mod embedders {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "hydroid:host/all-embedders",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:core/types": crate::bindings::tools::hydroid::core::types,
            "hydroid:core/log": crate::bindings::tools::hydroid::core::log,
            "hydroid:core/config": crate::bindings::tools::hydroid::core::config,
            "hydroid:core/control": crate::bindings::tools::hydroid::core::control,
            "hydroid:cap": crate::bindings::tools::hydroid::cap,
        },
    });
}

pub(crate) mod hooks {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "hydroid:host/all-hooks",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:core/types": crate::bindings::tools::hydroid::core::types,
            "hydroid:core/log": crate::bindings::tools::hydroid::core::log,
            "hydroid:core/config": crate::bindings::tools::hydroid::core::config,
            "hydroid:core/control": crate::bindings::tools::hydroid::core::control,
            "hydroid:cap": crate::bindings::tools::hydroid::cap,
        },
    });
}

pub(crate) mod parsers {
    wasmtime::component::bindgen!({
        path: "../../wit/host",
        world: "hydroid:host/all-parsers",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:core/types": crate::bindings::tools::hydroid::core::types,
            "hydroid:core/log": crate::bindings::tools::hydroid::core::log,
            "hydroid:core/config": crate::bindings::tools::hydroid::core::config,
            "hydroid:core/control": crate::bindings::tools::hydroid::core::control,
            "hydroid:cap": crate::bindings::tools::hydroid::cap,
        },
    });
}

pub(crate) use tools::hydroid::{cap, core};
