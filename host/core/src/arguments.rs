//! A model's tool arguments: from the text it wrote to one line of strict JSON, an object.
//! Slips with one possible meaning are repaired; where two readings exist it is an error the
//! model can act on. This is no schema check: names and types of fields are not looked at.

mod reader;
mod unique;

use reader::Reader;
use serde_json::Value;

/// Most bytes of arguments. Models write far less than a megabyte in one answer; more is a loop.
const MAX_BYTES: usize = 1024 * 1024;

/// Deepest nesting. Below the 128 at which the JSON parser itself gives up, far above any schema.
const MAX_DEPTH: usize = 64;

/// How often JSON may be wrapped in a JSON string: models do it once, gateways once more.
const MAX_WRAPPINGS: usize = 2;

const EXAMPLE: &str =
    r#"write one JSON object, for example `{"path":"/shared/notes.txt","limit":10}`"#;

/// Arguments as one line of compact JSON, an object. Empty text means no arguments.
///
/// Valid JSON keeps every number and string as it was written; only white space between them
/// goes. A key that occurs twice in one object is refused. The error is a sentence for the model: where it went wrong and what right looks like.
pub fn normalise(text: &str) -> Result<String, String> {
    let json = unwrap(text, MAX_WRAPPINGS)?;
    unique::check(&json)?;
    Ok(json)
}

fn unwrap(text: &str, wrappings: usize) -> Result<String, String> {
    if text.len() > MAX_BYTES {
        return Err(format!(
            "the arguments have {} bytes and at most {MAX_BYTES} are read; pass less at once",
            text.len()
        ));
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.is_empty() {
        return Ok("{}".to_owned());
    }
    match serde_json::from_str::<Value>(trimmed) {
        Ok(Value::Object(_)) => shallow(compact(trimmed)),
        // Several services send `null` for a call without arguments.
        Ok(Value::Null) => Ok("{}".to_owned()),
        Ok(Value::String(inner)) if wrappings > 0 => unwrap(&inner, wrappings - 1),
        Ok(other) => Err(format!("the arguments are {}, not an object; {EXAMPLE}", kind(&other))),
        Err(_) => repair(text),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Removes white space between the tokens of valid JSON.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}

/// Refuses valid JSON that is nested too deeply.
fn shallow(json: String) -> Result<String, String> {
    let (mut in_string, mut escaped, mut depth) = (false, false, 0_usize);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
    }
    Ok(json)
}

fn too_deep() -> String {
    format!("the arguments are nested more than {MAX_DEPTH} levels deep; pass a flatter object")
}

fn repair(text: &str) -> Result<String, String> {
    let mut reader = Reader::new(text);
    reader.skip_fence();
    let mut found: Vec<String> = Vec::new();
    while reader.more_values() {
        reader.out.clear();
        reader.value(0)?;
        let json = std::mem::take(&mut reader.out);
        match serde_json::from_str::<Value>(&json) {
            Ok(Value::Object(_)) => found.push(json),
            Ok(other) => {
                return Err(reader.error(&format!("found {}, not an object", kind(&other))));
            }
            // What is left is rare: half a surrogate pair, a number beyond any range.
            Err(error) => {
                return Err(format!("the arguments are not valid JSON: {error}; {EXAMPLE}"));
            }
        }
    }
    found.dedup();
    // A provider that starts a call with `{}` and then streams the real object glues the two.
    if found.len() > 1 && found[0] == "{}" {
        found.remove(0);
    }
    match found.as_slice() {
        [] => Err(reader.error("found no object")),
        [one] => Ok(one.clone()),
        [_, _, ..] => Err(format!(
            "the arguments are {} different objects one after the other; make one call for each, and in each {EXAMPLE}",
            found.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(normalise(text).as_deref(), Ok(expect), "from {text}");
        assert!(serde_json::from_str::<Value>(expect).unwrap().is_object());
        assert_eq!(normalise(expect).as_deref(), Ok(expect), "a second time");
    }

    #[track_caller]
    fn refuse(text: &str, because: &str) {
        let error = normalise(text).expect_err(text);
        assert!(error.contains(because), "{text}\n  expected {because}\n  got {error}");
    }

    #[test]
    fn nothing_means_no_arguments() {
        for text in ["", " \n", "null", "{}", "\u{feff}", "\"\""] {
            check(text, "{}");
        }
    }

    #[test]
    fn valid_json_loses_only_white_space_between_tokens() {
        check(
            "{ \"a\" : [ 1 , 2 ],\n\t\"b\" : \" x \\\" { y \" }",
            r#"{"a":[1,2],"b":" x \" { y "}"#,
        );
        check(r#"{"b":1,"a":2}"#, r#"{"b":1,"a":2}"#);
        check(r#"{"t":"\u00e9 é \/ \\"}"#, r#"{"t":"\u00e9 é \/ \\"}"#);
    }

    #[test]
    fn no_digit_of_a_number_is_lost() {
        check(
            r#"{"id":123456789012345678901234567890,"x":1.10,"y":1E+2,"z":-0.0}"#,
            r#"{"id":123456789012345678901234567890,"x":1.10,"y":1E+2,"z":-0.0}"#,
        );
        check(
            r#"{"id":123456789012345678901234567890,"x":1.10,}"#,
            r#"{"id":123456789012345678901234567890,"x":1.10}"#,
        );
    }

    #[test]
    fn a_code_fence_is_taken_off() {
        check("```json\n{\"a\":1}\n```", r#"{"a":1}"#);
        check("```\n{\"a\":1}", r#"{"a":1}"#);
        check("  ```{\"a\":\"```\"}```  ", r#"{"a":"```"}"#);
    }

    #[test]
    fn equal_objects_glued_together_are_one() {
        check(r#"{"a":1}{"a": 1}"#, r#"{"a":1}"#);
        check("{\"a\":1}\n{\"a\":1}\n{\"a\":1}", r#"{"a":1}"#);
        check(r#"{}{"a":1}"#, r#"{"a":1}"#);
        check("{}{}", "{}");
    }

    #[test]
    fn different_objects_glued_together_are_an_error() {
        refuse(r#"{"a":1}{"a":2}"#, "2 different objects");
        refuse(r#"{"a":1}{}"#, "2 different objects");
        refuse(
            r#"{"a":9007199254740993000001}{"a":9007199254740993000002}"#,
            "2 different objects",
        );
    }

    #[test]
    fn trailing_commas_are_dropped() {
        check(r#"{"a":[1,2,],"b":{"c":1,},}"#, r#"{"a":[1,2],"b":{"c":1}}"#);
        refuse(r#"{"a":[1,,2]}"#, "expected a value, found `,`");
        refuse("{,}", "expected a key");
    }

    #[test]
    fn what_was_cut_off_at_the_end_is_closed() {
        check(r#"{"a":1"#, r#"{"a":1}"#);
        check(r#"{"a":[1,{"b":"c"#, r#"{"a":[1,{"b":"c"}]}"#);
        check(r#"{"a":1,"#, r#"{"a":1}"#);
        check("{", "{}");
        refuse(r#"{"a":1,"b"#, "expected `:` and a value after the key");
        refuse(r#"{"a":"#, "the text ends where a value should be");
        refuse(r#"{"a":"x\"#, "the text ends inside an escape");
        refuse(r#"{"a":tru"#, "`tru` has no quotes");
        refuse(r#"{"a":[1,2}"#, "column 10: expected `,` or `]`, found `}`");
    }

    #[test]
    fn closing_brackets_too_many_at_the_end_are_dropped() {
        check(r#"{"a":[1]}}"#, r#"{"a":[1]}"#);
        check("{\"a\":[1]}]\n}", r#"{"a":[1]}"#);
    }

    #[test]
    fn python_dictionaries_are_understood() {
        check(
            r#"{'a': True, 'b': False, 'c': None, 'd': 'say "hi"', 'e': "it's", 'f': 'it\'s \x41'}"#,
            r#"{"a":true,"b":false,"c":null,"d":"say \"hi\"","e":"it's","f":"it's \u0041"}"#,
        );
        refuse("{'a': 'it's'}", "expected `,` or `}`, found `s`");
    }

    #[test]
    fn control_characters_in_texts_are_escaped() {
        check("{\"a\":\"one\ntwo\tthree\r\u{1}\"}", r#"{"a":"one\ntwo\tthree\r\u0001"}"#);
    }

    #[test]
    fn json_in_a_json_string_is_unwrapped() {
        check(r#""{\"a\":1}""#, r#"{"a":1}"#);
        check(r#""\"{\\\"a\\\":1}\"""#, r#"{"a":1}"#);
        refuse(r#""hello""#, "`hello` has no quotes");
    }

    #[test]
    fn other_kinds_of_value_are_named() {
        refuse("[1]", "the arguments are an array, not an object; write one JSON object");
        refuse("12", "a number");
        refuse("'x'", "a string");
    }

    #[test]
    fn errors_say_where() {
        refuse("{\"a\": 1,\n \"b\" 2}", "line 2, column 6: expected `:`");
        refuse(r#"{"p":"C:\dir"}"#, "`\\d` is not an escape");
        refuse(r#"{"a":NaN}"#, "`NaN` has no quotes");
        refuse(r#"{"a":01}"#, "`01` is not a number");
        refuse(r#"{"a":"\ud800"}"#, "unexpected end of hex escape");
        refuse("path=/x", "`path` has no quotes");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(normalise(&deep(MAX_DEPTH - 1)).is_ok());
        refuse(&deep(MAX_DEPTH), "levels deep");
        refuse(&"{'a':[".repeat(200_000 / 6), "levels deep");
        refuse(&"x".repeat(MAX_BYTES + 1), "pass less at once");
    }

    /// Every prefix of a tricky text is refused or gives a strict object; none panics.
    #[test]
    fn any_prefix_gives_an_object_or_a_sentence() {
        let text =
            "```json\n{'a': \"é\\u00e9\\n\", \"b\": [1.5e3, {\"c\": None,},], 'd': 'x\ny'}\n```";
        for (end, _) in text.char_indices() {
            match normalise(&text[..end]) {
                Ok(json) => assert!(serde_json::from_str::<Value>(&json).unwrap().is_object()),
                Err(sentence) => assert!(sentence.contains("write one JSON object"), "{sentence}"),
            }
        }
    }
}
