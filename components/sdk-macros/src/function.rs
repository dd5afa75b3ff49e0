//! The function of a tool: its parameters as a struct with a schema, and beside it a module of
//! the same name that makes the tool.

use crate::claims::Claims;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Expr, FnArg, ItemFn, Lit, LitStr, Meta, Pat, PatType, ReturnType, Type};

/// A parameter of this name is the whole of the arguments, with a type of the author's.
const WHOLE: &str = "arguments";

/// The function as it was, and what makes a tool of it.
pub(crate) fn tool(claims: &Claims, mut function: ItemFn) -> syn::Result<TokenStream> {
    let description = documentation(&function.attrs);
    if description.is_empty() {
        return Err(syn::Error::new(
            function.sig.ident.span(),
            "a tool needs a doc comment: it is what the model reads to choose it",
        ));
    }
    if let Some(asynchronous) = function.sig.asyncness {
        return Err(syn::Error::new(
            asynchronous.span,
            "a tool is a plain function: the host waits outside, so nothing here has to be `async`",
        ));
    }
    if !function.sig.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &function.sig.generics,
            "a tool cannot be generic: its arguments need one schema",
        ));
    }
    let ident = function.sig.ident.clone();
    let name = claims.name.clone().unwrap_or_else(|| LitStr::new(&ident.to_string(), ident.span()));
    check_name(&name)?;
    let parameters = parameters(&mut function)?;
    let visibility = function.vis.clone();
    let claimed = claims.calls();
    let (fallible, structured) = answer(&function.sig.output);
    let constructor = if structured { format_ident!("structured") } else { format_ident!("new") };
    let call = |arguments: TokenStream| {
        let call = quote! { super::#ident(#arguments) };
        if fallible {
            call
        } else {
            quote! { ::core::result::Result::Ok(#call) }
        }
    };
    let (arguments, closure) = match parameters.as_slice() {
        [only] if only.name == WHOLE => {
            let of = &only.of;
            let call = call(quote! { arguments });
            (quote! {}, quote! { |arguments: #of| #call })
        }
        _ => {
            let fields = parameters.iter().map(|Parameter { name, of, attributes }| {
                quote! { #(#attributes)* #name: #of }
            });
            let names: Vec<_> = parameters.iter().map(|parameter| &parameter.name).collect();
            let call = call(quote! { #(arguments.#names),* });
            let arguments = quote! {
                #[derive(
                    ::hydroid_component::derives::Deserialize,
                    ::hydroid_component::derives::JsonSchema,
                )]
                #[serde(deny_unknown_fields, crate = "::hydroid_component::derives::serde")]
                #[schemars(crate = "::hydroid_component::derives::schemars")]
                struct Arguments { #(#fields),* }
            };
            let binding = if names.is_empty() {
                quote! { _arguments }
            } else {
                quote! { arguments }
            };
            (arguments, quote! { |#binding: Arguments| #call })
        }
    };
    Ok(quote! {
        #function

        #visibility mod #ident {
            #[allow(unused_imports, reason = "types of parameters may be named here")]
            use super::*;

            #arguments

            /// The tool.
            pub(crate) fn tool() -> ::hydroid_component::tool::Tool {
                ::hydroid_component::tool::Tool::#constructor(#name, #description, #closure)
                    #claimed
            }
        }
    })
}

/// One parameter; what was said of it goes to the field that stands for it.
struct Parameter {
    name: syn::Ident,
    of: Type,
    attributes: Vec<Attribute>,
}

/// The parameters, whose attributes are taken from the function: there they mean nothing.
fn parameters(function: &mut ItemFn) -> syn::Result<Vec<Parameter>> {
    let each = function.sig.inputs.iter_mut().map(|input| match input {
        FnArg::Receiver(receiver) => {
            Err(syn::Error::new_spanned(receiver, "a tool is a function, not a method"))
        }
        FnArg::Typed(PatType { attrs, pat, ty, .. }) => match &**pat {
            Pat::Ident(pattern) => Ok(Parameter {
                name: pattern.ident.clone(),
                of: (**ty).clone(),
                attributes: std::mem::take(attrs),
            }),
            other => Err(syn::Error::new_spanned(
                other,
                "give this parameter a name: it is what the model calls the argument",
            )),
        },
    });
    each.collect()
}

/// Whether it may fail, and whether it answers with data of a type beside the text.
fn answer(output: &ReturnType) -> (bool, bool) {
    let ReturnType::Type(_, of) = output else { return (false, false) };
    let Type::Path(path) = &**of else { return (false, false) };
    let Some(last) = path.path.segments.last() else { return (false, false) };
    let structured = quote! { #path }.to_string().contains("Structured");
    (last.ident == "Result", structured)
}

fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(value) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &value.value else { return None };
        match &literal.lit {
            Lit::Str(text) if value.path.is_ident("doc") => Some(text.value().trim().to_owned()),
            _ => None,
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    // Lines of one paragraph are one line, as they are in rendered documentation.
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n").trim().to_owned()
}

fn check_name(name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    let fits = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fits {
        return Ok(());
    }
    Err(syn::Error::new(
        name.span(),
        format!(
            "`{text}` cannot be the name of a tool: it has lower-case letters, digits and `_`, begins with a letter, and has at most 64 characters"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(attribute: &str, item: &str) -> String {
        let claims = syn::parse_str::<Claims>(attribute);
        let written = claims.and_then(|claims| tool(&claims, syn::parse_str(item)?));
        match written {
            Ok(written) => written.to_string().replace(' ', ""),
            Err(error) => format!("error: {error}"),
        }
    }

    #[track_caller]
    fn check(attribute: &str, item: &str, expect: &str) {
        let got = expand(attribute, item);
        assert!(got.contains(expect), "expected `{expect}` in: {got}");
    }

    #[test]
    fn a_doc_comment_is_the_description() {
        let item = "/// Says a text\n/// in capitals.\n///\n/// Twice.\nfn shout(text: String) -> String { text }";
        check("", item, "\"shout\",\"Saysatextincapitals.\\n\\nTwice.\"");
        check("", "fn shout() -> String { x() }", "error: a tool needs a doc comment");
    }

    #[test]
    fn parameters_become_fields_with_what_was_said_of_them() {
        let item = "/// A.\nfn add(/// One.\n a: i64, #[serde(default)] b: i64) -> String { x() }";
        check("", item, "structArguments{#[doc=\"One.\"]a:i64,#[serde(default)]b:i64}");
        check("", item, "fnadd(a:i64,b:i64)");
        check("", item, "Ok(super::add(arguments.a,arguments.b))");
    }

    #[test]
    fn one_parameter_called_arguments_is_all_of_them() {
        let item = "/// A.\nfn add(arguments: Add) -> Result<String, ToolError> { x() }";
        check("", item, "|arguments:Add|super::add(arguments)");
    }

    #[test]
    fn claims_are_methods_and_unknown_ones_are_named() {
        let item = "/// A.\nfn a() -> String { x() }";
        check("read_only, title = \"T\"", item, ".title(\"T\").read_only()");
        check("name = \"b_c\"", item, "new(\"b_c\",");
        check("name = \"B\"", item, "error: `B` cannot be the name of a tool");
        check("readonly", item, "error: a tool has no `readonly`; there is");
    }

    #[test]
    fn data_beside_text_declares_its_schema() {
        let item = "/// A.\nfn a() -> Result<Structured<Sum>, ToolError> { x() }";
        check("", item, "Tool::structured(\"a\"");
    }

    #[test]
    fn what_cannot_be_a_tool_says_why() {
        check("", "/// A.\nasync fn a() {}", "error: a tool is a plain function");
        check("", "/// A.\nfn a<T>(t: T) {}", "error: a tool cannot be generic");
        check("", "/// A.\nfn a((b, c): (u8, u8)) {}", "error: give this parameter a name");
        check("", "/// A.\nfn a(&self) {}", "error: a tool is a function, not a method");
    }
}
