//! `#[error]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Fields, ItemEnum, Lit, Meta, Result};

/// From here on the codes belong to the SDK.
const FIRST_RESERVED: u32 = 0x8000_0000;

pub(crate) fn expand(attribute: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new(attribute.span(), "`#[error]` takes no arguments"));
    }
    let mut item: ItemEnum =
        syn::parse2(item).map_err(|error| Error::new(error.span(), format!("`#[error]` goes on an enum: {error}")))?;
    if !item.generics.params.is_empty() {
        return Err(Error::new(item.generics.span(), "an error type has no generic parameters"));
    }
    let (mut names, mut codes, mut texts, mut messages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut next = 1u32;
    for variant in &mut item.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new(
                variant.fields.span(),
                "an error is a code and a message: say more with `ensure!(condition, Error::Variant, \"{more}\")`",
            ));
        }
        let code = match &variant.discriminant {
            None => next,
            Some((_, Expr::Lit(ExprLit { lit: Lit::Int(number), .. }))) => number.base10_parse()?,
            Some((_, other)) => return Err(Error::new(other.span(), "the code of an error is a number")),
        };
        if code == 0 || code >= FIRST_RESERVED {
            return Err(Error::new(variant.ident.span(), "the code of an error is at least 1 and below 0x8000_0000"));
        }
        if codes.contains(&code) {
            return Err(Error::new(variant.ident.span(), format!("another error has the code {code}")));
        }
        let message = message(&variant.attrs);
        if message.is_empty() {
            return Err(Error::new(variant.ident.span(), "say in a doc comment what went wrong: it is the message"));
        }
        if message.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
            return Err(Error::new(
                variant.ident.span(),
                "a message holds no quotes, backslashes or control characters",
            ));
        }
        next = code + 1;
        variant.discriminant = Some((syn::token::Eq::default(), syn::parse_quote!(#code)));
        names.push(variant.ident.clone());
        texts.push(variant.ident.unraw().to_string());
        codes.push(code);
        messages.push(message);
    }
    if names.is_empty() {
        return Err(Error::new(item.ident.span(), "an error type has at least one variant"));
    }
    let name = &item.ident;
    Ok(quote! {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #item

        impl #name {
            /// The code that an abort with this error has.
            #[allow(dead_code, unreachable_pub)]
            #[must_use]
            pub const fn code(self) -> u32 {
                match self { #(Self::#names => #codes),* }
            }
        }

        #[automatically_derived]
        impl ::noema_sdk::ErrorCode for #name {
            fn code(self) -> u32 {
                Self::code(self)
            }
        }

        #[automatically_derived]
        impl ::noema_sdk::TypedError for #name {
            const ERRORS: &'static [(u32, &'static str, &'static str)] = &[#((#codes, #texts, #messages)),*];
        }

        #[automatically_derived]
        impl ::core::convert::From<#name> for ::noema_sdk::Error {
            fn from(error: #name) -> ::noema_sdk::Error {
                match error { #(#name::#names => ::noema_sdk::__failure!(#codes, #messages)),* }
            }
        }
    })
}

/// The doc comment on one line, without the full stop at its end.
fn message(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { return None };
        Some(text.value().trim().to_owned())
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    let text = text.trim();
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::expand;
    use quote::quote;

    fn refusal(item: proc_macro2::TokenStream) -> String {
        expand(&quote!(), item).unwrap_err().to_string()
    }

    #[test]
    fn codes_count_on_and_messages_are_the_comments() {
        let text = expand(
            &quote!(),
            quote!(
                enum E {
                    #[doc = " The first."]
                    A,
                    #[doc = " x"]
                    B = 7,
                    #[doc = " y"]
                    C,
                }
            ),
        );
        let text = text.unwrap().to_string();
        for part in ["A = 1u32", "B = 7u32", "C = 8u32", "\"The first\""] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        assert!(
            refusal(quote!(
                struct E;
            ))
            .contains("goes on an enum")
        );
        assert!(
            refusal(quote!(
                enum E {}
            ))
            .contains("at least one variant")
        );
        assert!(
            refusal(quote!(
                enum E {
                    A,
                }
            ))
            .contains("doc comment")
        );
        assert!(
            refusal(quote!(
                enum E {
                    #[doc = "x"]
                    A(u8),
                }
            ))
            .contains("a code and a message")
        );
        assert!(
            refusal(quote!(
                enum E {
                    #[doc = "x"]
                    A = 0,
                }
            ))
            .contains("at least 1")
        );
        assert!(
            refusal(quote!(
                enum E {
                    #[doc = "x"]
                    A = 0x8000_0000,
                }
            ))
            .contains("below 0x8000_0000")
        );
        assert!(
            refusal(quote!(
                enum E {
                    #[doc = "x"]
                    A = 2,
                    #[doc = "x"]
                    B = 2,
                }
            ))
            .contains("another error")
        );
        assert!(
            refusal(quote!(
                enum E {
                    #[doc = "a \"b\""]
                    A,
                }
            ))
            .contains("no quotes")
        );
    }
}
