//! What stands in the parentheses of `#[tool(…)]`: names and claims. Which of them are true the
//! host finds out.

use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitStr, Token};

/// Claims without a value, each a method of `Tool`.
const CLAIMS: [&str; 5] = ["idempotent", "not_destructive", "open_world", "read_only", "volatile"];

/// What was claimed of a tool.
#[derive(Default)]
pub(crate) struct Claims {
    /// Name the model calls it by; that of the function if absent.
    pub(crate) name: Option<LitStr>,
    title: Option<LitStr>,
    claimed: Vec<Ident>,
}

impl Claims {
    /// The method calls that say so.
    pub(crate) fn calls(&self) -> proc_macro2::TokenStream {
        let title = self.title.iter();
        let claimed = &self.claimed;
        quote! { #(.title(#title))* #(.#claimed())* }
    }
}

impl Parse for Claims {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut claims = Claims::default();
        while !input.is_empty() {
            let word: Ident = input.parse()?;
            let place = match word.to_string().as_str() {
                "name" => Some(&mut claims.name),
                "title" => Some(&mut claims.title),
                claim if CLAIMS.contains(&claim) => None,
                other => {
                    let known = CLAIMS.join("`, `");
                    return Err(syn::Error::new(
                        word.span(),
                        format!(
                            "a tool has no `{other}`; there is `name = \"…\"`, `title = \"…\"`, `{known}`"
                        ),
                    ));
                }
            };
            match place {
                Some(place) => {
                    input.parse::<Token![=]>()?;
                    *place = Some(input.parse()?);
                }
                None => claims.claimed.push(word),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(claims)
    }
}
