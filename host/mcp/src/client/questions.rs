//! What a server asks a person during a call of a turn. It is put as a call that the first one
//! asks for: the session asks a person about it like about any, and what they make of its
//! arguments is the answer. No model is offered it, and it exists only while a question waits.

use super::handler::{Elicitation, Elicited};
use super::tools::{Compile, component};
use hydroid_core::arguments;
use hydroid_core::message::{Content, Origin};
use hydroid_core::ports::NestedCalls;
use hydroid_core::tool::{CheckedCall, Hooked, Impact, Reach, ToolCall, ToolOutput};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// What the call is named. Names of servers' tools go on after `mcp_` with that of the server and
/// another `_`, so none has it.
pub(super) const TOOL: &str = "mcp_question";

/// Bytes of the schema of an answer: a person reads it.
const LONGEST_SCHEMA: usize = 8 << 10;

/// The questions that wait for their person.
#[derive(Clone, Default)]
pub(super) struct Questions(Arc<Mutex<Vec<Arc<Question>>>>);

struct Question {
    server: String,
    schema: Value,
    /// As it is put: the question, its fields, and an answer to go on from.
    arguments: Value,
}

/// Takes the question back when nobody waits for its answer any more.
struct Waits {
    questions: Questions,
    question: Arc<Question>,
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.questions.all().retain(|its| !Arc::ptr_eq(its, &self.question));
    }
}

impl Questions {
    /// Puts a question through the session that runs the call, and waits for the answer.
    pub(super) async fn put(&self, asked: Elicitation, through: &dyn NestedCalls) -> Elicited {
        if asked.schema.to_string().len() > LONGEST_SCHEMA {
            tracing::info!(server = %asked.server, "a question of a server was declined: it is too long to be put");
            return Elicited::Declined;
        }
        let arguments = json!({
            "server": asked.server,
            "question": asked.message,
            "fields": asked.schema.get("properties").cloned().unwrap_or_default(),
            "answer": draft(&asked.schema),
        });
        let text = arguments.to_string();
        let question = Question { server: asked.server, schema: asked.schema, arguments };
        let question = Arc::new(question);
        self.all().push(Arc::clone(&question));
        let _waits = Waits { questions: self.clone(), question };
        let answer = through.call(TOOL.to_owned(), text).await;
        match (answer.denied, answer.output.is_error, answer.output.content.as_slice()) {
            (true, ..) => Elicited::Declined,
            (false, false, [Content::Json { json }]) => Elicited::Values(json.clone()),
            (false, ..) => Elicited::Cancelled,
        }
    }

    /// True while a question waits.
    pub(super) fn wait(&self) -> bool {
        !self.all().is_empty()
    }

    /// Checks the call that a question is put as. What is put first may be unfinished; what a
    /// person wrote must be an answer.
    pub(super) fn check(&self, call: &ToolCall, compile: &Compile) -> Result<CheckedCall, String> {
        let text = arguments::normalise(&call.arguments)?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| format!("the arguments are not JSON: {error}"))?;
        let question = self.found(&value)?;
        if value != question.arguments {
            answered(&question.schema, &value, compile)?;
        }
        Ok(CheckedCall {
            call: ToolCall { id: call.id.clone(), name: call.name.clone(), arguments: text },
            component: component(&question.server),
            // The server it goes to is being called already; who decides is the person.
            impact: Impact::ReadOnly,
            resources: Vec::new(),
            origin: Origin::Unknown,
            reach: Reach::default(),
            hooked: Some(Box::new(Hooked::Person(format!("the server `{}`", question.server)))),
            preview: None,
            parent: None,
        })
    }

    /// What a person answered, as the result of the call.
    pub(super) fn run(&self, call: &CheckedCall, compile: &Compile) -> ToolOutput {
        if call.parent.is_none() {
            return ToolOutput::error("not run: only a server that is being called asks questions");
        }
        let answer = serde_json::from_str(&call.call.arguments)
            .map_err(|error| error.to_string())
            .and_then(|value: Value| {
                let question = self.found(&value)?;
                answered(&question.schema, &value, compile)
            });
        match answer {
            Ok(answer) => ToolOutput {
                content: vec![Content::Json { json: Value::Object(answer) }],
                is_error: false,
            },
            Err(problem) => ToolOutput::error(format!("not answered: {problem}")),
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Question>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The question that these arguments answer: all but the answer is as it was put.
    fn found(&self, value: &Value) -> Result<Arc<Question>, String> {
        let same = |question: &&Arc<Question>| {
            ["server", "question", "fields"].iter().all(|key| value[key] == question.arguments[key])
        };
        let found = self.all().iter().find(same).cloned();
        found.ok_or_else(|| {
            "no such question waits; change nothing of the arguments but `answer`".to_owned()
        })
    }
}

/// The answer in these arguments, without the fields that were left empty.
fn answered(
    schema: &Value,
    arguments: &Value,
    compile: &Compile,
) -> Result<Map<String, Value>, String> {
    let Some(Value::Object(answer)) = arguments.get("answer") else {
        return Err("`answer` is no object".to_owned());
    };
    let given = answer.iter().filter(|(_, value)| !value.is_null());
    let answer: Map<String, Value> =
        given.map(|(name, value)| (name.clone(), value.clone())).collect();
    let problems = compile(schema)?(&Value::Object(answer.clone()));
    if problems.is_empty() {
        return Ok(answer);
    }
    Err(format!("`answer` does not fit its fields: {}", problems.join("; ")))
}

/// An answer to go on from: what the server suggests, and nothing where it suggests nothing.
fn draft(schema: &Value) -> Value {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let suggested = |(name, about): (&String, &Value)| {
        (name.clone(), about.get("default").cloned().unwrap_or_default())
    };
    Value::Object(fields.map(suggested).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use hydroid_core::id::CallId;
    use hydroid_core::ports::{ChildTask, NestedAnswer};

    /// A session whose person answers with these arguments, or with nothing.
    struct Session {
        questions: Questions,
        answer: Option<Value>,
    }

    /// Takes an object with a `name` that is text.
    fn compile() -> Compile {
        Arc::new(|_| {
            Ok(Box::new(|value: &Value| {
                let fits = value.get("name").is_some_and(Value::is_string);
                if fits { Vec::new() } else { vec!["`name` is missing".to_owned()] }
            }))
        })
    }

    fn call(arguments: &Value) -> ToolCall {
        ToolCall { id: CallId::new("a.1"), name: TOOL.into(), arguments: arguments.to_string() }
    }

    impl NestedCalls for Session {
        fn delegate(&self, _: ChildTask) -> BoxFuture<'_, NestedAnswer> {
            unreachable!("a server starts no child turn")
        }

        fn call(&self, tool: String, arguments: String) -> BoxFuture<'_, NestedAnswer> {
            async move {
                assert_eq!(tool, TOOL);
                let mut arguments: Value = serde_json::from_str(&arguments).unwrap();
                let checked = self.questions.check(&call(&arguments), &compile()).unwrap();
                assert!(matches!(checked.hooked.as_deref(), Some(Hooked::Person(_))));
                let Some(answer) = &self.answer else {
                    let output = ToolOutput::error("the person declined this call");
                    return NestedAnswer { output, denied: true, secret: false };
                };
                arguments["answer"] = answer.clone();
                let checked = self.questions.check(&call(&arguments), &compile());
                let parent = Some(CallId::new("a"));
                let output = match checked {
                    Ok(checked) => {
                        let checked = CheckedCall { parent, ..checked };
                        self.questions.run(&checked, &compile())
                    }
                    Err(problem) => ToolOutput::error(problem),
                };
                NestedAnswer { output, denied: false, secret: false }
            }
            .boxed()
        }
    }

    fn put(answer: Option<Value>) -> Elicited {
        let questions = Questions::default();
        let session = Session { questions: questions.clone(), answer };
        let schema = json!({
            "type": "object",
            "properties": { "name": { "type": "string" }, "age": { "type": "integer" } },
            "required": ["name"],
        });
        let asked = Elicitation { server: "boats".into(), message: "Who are you?".into(), schema };
        let elicited =
            questions.put(asked, &session).now_or_never().expect("nothing is waited for");
        assert!(!questions.wait(), "it waits for ever");
        elicited
    }

    #[test]
    fn what_a_person_makes_of_the_arguments_is_the_answer() {
        let answer = json!({ "name": "Ada", "age": null });
        assert_eq!(put(Some(answer)), Elicited::Values(json!({ "name": "Ada" })));
        assert_eq!(put(None), Elicited::Declined);
        // Said yes to without an answer.
        assert_eq!(put(Some(json!({ "name": null, "age": null }))), Elicited::Cancelled);
        assert_eq!(put(Some(json!("Ada"))), Elicited::Cancelled);
    }

    #[test]
    fn nothing_but_the_answer_is_changed_and_without_a_question_there_is_none() {
        let questions = Questions::default();
        let arguments = json!({ "server": "boats", "question": "a", "fields": {}, "answer": {} });
        assert!(questions.check(&call(&arguments), &compile()).is_err());
        questions.all().push(Arc::new(Question {
            server: "boats".into(),
            schema: json!({}),
            arguments: arguments.clone(),
        }));
        let checked = questions.check(&call(&arguments), &compile()).unwrap();
        assert!(questions.run(&checked, &compile()).is_error, "a model asked for it");
        for (key, value) in [("server", "cars"), ("question", "b"), ("fields", "x")] {
            let mut other = arguments.clone();
            other[key] = value.into();
            assert!(questions.check(&call(&other), &compile()).is_err(), "{key}");
        }
        for text in ["null", "7", "\"x\"", "[]", "{", "{\"answer\":1}"] {
            let call = ToolCall { arguments: text.to_owned(), ..call(&arguments) };
            assert!(questions.check(&call, &compile()).is_err(), "{text}");
        }
    }
}
