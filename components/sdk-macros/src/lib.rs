//! The attribute `#[tool]` of `hydroid-component`: a function with a doc comment becomes a tool.
//! Not used by itself: what it writes names that crate.

mod claims;
mod function;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Makes a tool of a function. Its doc comment is the description, its parameters are the
/// arguments, and their doc comments are what the model reads of each.
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let claims = parse_macro_input!(attribute as claims::Claims);
    let function = parse_macro_input!(item as syn::ItemFn);
    function::tool(&claims, function).unwrap_or_else(syn::Error::into_compile_error).into()
}
