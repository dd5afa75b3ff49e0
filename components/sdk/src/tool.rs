//! Typed tools: argument structs and functions in, definitions and dispatch out. Not a
//! framework with state: the host gives every call a fresh instance.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::tool::exports::hydroid::tool::tool::{
    Call, Definition, Guest, Hints, Outcome,
};
use crate::types::{Error, ErrorKind, Part};

/// What a tool component is: a list of tools, built anew for every call.
pub trait Toolset {
    /// The tools offered. Asked once at install without any authority, so it must not need any.
    fn tools() -> Result<Vec<Tool>, Error>;

    /// The definitions the host reads. Only a test component has a reason to change it.
    fn definitions() -> Result<Vec<Definition>, Error> {
        Ok(Self::tools()?.iter().map(Tool::definition).collect())
    }
}

/// One tool: what the model reads of it, and the function that runs it.
pub struct Tool {
    name: &'static str,
    title: Option<&'static str>,
    description: &'static str,
    input_schema: fn() -> Schema,
    output_schema: Option<fn() -> Schema>,
    hints: Hints,
    run: Run,
}

/// Arguments as JSON in, outcome out.
type Run = Box<dyn Fn(&str) -> Result<Outcome, Error>>;

impl Tool {
    /// A tool that answers with text, parts or a whole [`Outcome`].
    ///
    /// `name` follows `[a-z][a-z0-9_]{0,63}`. The schema of `A` refuses unknown properties
    /// if `A` has `#[serde(deny_unknown_fields)]`, which every argument struct should have.
    pub fn new<A, O>(
        name: &'static str,
        description: &'static str,
        function: impl Fn(A) -> Result<O, ToolError> + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        O: Into<Outcome>,
    {
        Tool {
            name,
            title: None,
            description,
            input_schema: schema_of::<A>,
            output_schema: None,
            // The careful claim; the methods below weaken it.
            hints: Hints {
                read_only: false,
                destructive: true,
                idempotent: false,
                open_world: false,
            },
            run: Box::new(move |arguments| match parse::<A>(name, arguments) {
                Ok(arguments) => match function(arguments) {
                    Ok(output) => Ok(output.into()),
                    Err(ToolError::Failed(message)) => Ok(Outcome::failed(message)),
                    Err(ToolError::CouldNotRun(error)) => Err(error),
                },
                Err(error) => Err(error),
            }),
        }
    }

    /// A tool that answers with text and the same as data of type `T`, whose schema it declares.
    pub fn structured<A, T>(
        name: &'static str,
        description: &'static str,
        function: impl Fn(A) -> Result<Structured<T>, ToolError> + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        T: Serialize + JsonSchema,
    {
        let tool = Tool::new(name, description, move |arguments| {
            let Structured { text, value } = function(arguments)?;
            let json = serde_json::to_string(&value)
                .map_err(|error| Error::internal(format!("the result is not JSON: {error}")))?;
            Ok(Outcome { structured_json: Some(json), ..Outcome::from(text) })
        });
        Tool { output_schema: Some(schema_of::<T>), ..tool }
    }

    /// A title for people.
    #[must_use]
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// Claims that the tool changes nothing, and so that calling it twice is as good as once.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.hints.read_only = true;
        self.hints.destructive = false;
        self.hints.idempotent = true;
        self
    }

    /// Claims that the tool changes nothing but may answer differently the next time.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.hints.read_only = true;
        self.hints.destructive = false;
        self
    }

    /// Claims that what the tool changes can be had back.
    #[must_use]
    pub fn not_destructive(mut self) -> Self {
        self.hints.destructive = false;
        self
    }

    /// Claims that calling twice with the same arguments is the same as once.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.hints.idempotent = true;
        self
    }

    /// Says that the tool reaches things outside the user's own files.
    #[must_use]
    pub fn open_world(mut self) -> Self {
        self.hints.open_world = true;
        self
    }

    /// What the host and the model read of this tool.
    pub fn definition(&self) -> Definition {
        Definition {
            name: self.name.to_owned(),
            title: self.title.map(str::to_owned),
            description: self.description.to_owned(),
            input_schema: (self.input_schema)().as_value().to_string(),
            output_schema: self.output_schema.map(|schema| schema().as_value().to_string()),
            hints: self.hints,
            options_json: None,
        }
    }
}

impl std::fmt::Debug for Tool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Text for the model and the same as data.
#[derive(Debug)]
pub struct Structured<T> {
    /// What the model reads.
    pub text: String,
    /// What a program reads.
    pub value: T,
}

/// Why a tool did not do what it was asked.
#[derive(Debug, Clone)]
pub enum ToolError {
    /// It ran and failed; the model reads the sentence and may try otherwise.
    Failed(String),
    /// It could not run; the host decides what the model hears.
    CouldNotRun(Error),
}

impl ToolError {
    /// It ran and failed, with a sentence that says what to do next.
    pub fn failed(message: impl Into<String>) -> Self {
        ToolError::Failed(message.into())
    }
}

/// A host function's refusal is something the model can act on, so its sentence goes there;
/// only a cancelled call and a defect end the call itself.
impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        match error.kind {
            ErrorKind::Cancelled | ErrorKind::Internal => ToolError::CouldNotRun(error),
            ErrorKind::InvalidInput
            | ErrorKind::Unauthenticated
            | ErrorKind::Denied
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::RateLimited
            | ErrorKind::Timeout
            | ErrorKind::TooLarge
            | ErrorKind::Unavailable
            | ErrorKind::Unsupported
            | ErrorKind::Other => ToolError::Failed(error.message),
        }
    }
}

impl Outcome {
    /// The tool ran and failed; the model reads the text.
    pub fn failed(message: impl Into<String>) -> Self {
        Outcome { is_error: true, ..Outcome::from(message.into()) }
    }
}

impl From<String> for Outcome {
    fn from(text: String) -> Self {
        Outcome::from(vec![Part::Text(text)])
    }
}

impl From<&str> for Outcome {
    fn from(text: &str) -> Self {
        Outcome::from(text.to_owned())
    }
}

impl From<Vec<Part>> for Outcome {
    fn from(content: Vec<Part>) -> Self {
        Outcome { content, structured_json: None, is_error: false, options_json: None }
    }
}

/// Runs the tool a call names.
pub fn dispatch(tools: &[Tool], call: &Call) -> Result<Outcome, Error> {
    match tools.iter().find(|tool| tool.name == call.name) {
        Some(tool) => (tool.run)(&call.args_json),
        None => {
            let names: Vec<_> = tools.iter().map(|tool| tool.name).collect();
            Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "no tool `{}` here; this component has `{}`",
                    call.name,
                    names.join("`, `")
                ),
            ))
        }
    }
}

/// Makes the [`Toolset`] named the export of this component.
#[macro_export]
macro_rules! export_tool {
    ($toolset:ty) => {
        // A native build, as for unit tests, has no use for the exported symbols, and their
        // names are no symbol names for every linker.
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exported;

            impl $crate::tool::Guest for Exported {
                fn definitions() -> Result<Vec<$crate::tool::Definition>, $crate::types::Error> {
                    <$toolset as $crate::tool::Toolset>::definitions()
                }

                fn invoke(
                    call: $crate::tool::Call,
                ) -> Result<$crate::tool::Outcome, $crate::types::Error> {
                    let tools = <$toolset as $crate::tool::Toolset>::tools()?;
                    $crate::tool::dispatch(&tools, &call)
                }
            }

            $crate::bindings::tool::export!(Exported);
        };

        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> Result<Vec<$crate::tool::Tool>, $crate::types::Error> =
            <$toolset as $crate::tool::Toolset>::tools;
    };
}

/// Makes the functions named, each a `#[tool]`, the tools of this component.
#[macro_export]
macro_rules! tools {
    ($($function:ident),+ $(,)?) => {
        struct HydroidTools;

        impl $crate::tool::Toolset for HydroidTools {
            fn tools() -> Result<Vec<$crate::tool::Tool>, $crate::types::Error> {
                Ok(vec![$($function::tool()),+])
            }
        }

        $crate::export_tool!(HydroidTools);
    };
}

fn schema_of<T: JsonSchema>() -> Schema {
    // Models follow references badly and some services refuse them, so nothing is shared.
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The Rust name of the struct tells a model nothing.
    schema.remove("title");
    schema
}

fn parse<A: DeserializeOwned>(tool: &str, arguments: &str) -> Result<A, Error> {
    // A tool without required arguments may be called without any.
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    serde_json::from_str(arguments).map_err(|error| {
        Error::invalid_input(format!(
            "the arguments of `{tool}` do not fit its schema: {error}; correct them and call again"
        ))
    })
}

#[cfg(test)]
mod tests;
