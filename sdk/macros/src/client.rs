//! The client that `#[contract]` makes: the methods of a contract for other contracts.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Ident, Type};

/// A method as its callers see it.
pub(crate) struct ClientMethod<'m> {
    pub(crate) docs: &'m [Attribute],
    pub(crate) name: &'m Ident,
    pub(crate) args: &'m [(Ident, Type)],
    pub(crate) returns: &'m Type,
}

pub(crate) fn client(contract: &Type, name: &str, methods: &[ClientMethod<'_>]) -> TokenStream {
    let client = format_ident!("{name}Client");
    let about = format!(
        "Calls of a `{name}` from other contracts: `{client}::at(&address)`, with the trait `noema_sdk::call::Client`."
    );
    let methods = methods.iter().map(|method| {
        let ClientMethod { docs, name, args, returns } = method;
        let text = name.unraw().to_string();
        let (names, types): (Vec<_>, Vec<_>) = args.iter().map(|(name, ty)| (name, of(contract, ty))).unzip();
        let returns = of(contract, returns);
        let about = (!docs.iter().any(|attribute| attribute.path().is_ident("doc"))).then(|| {
            let about = format!("Calls `{text}`.");
            quote!(#[doc = #about])
        });
        quote! {
            #about
            #(#docs)*
            ///
            /// # Errors
            /// `CallError`: what the contract aborted with, or why there is no result.
            pub fn #name(&self #(, #names: #types)*) -> ::core::result::Result<#returns, ::noema_sdk::call::CallError> {
                self.0.method(#text, &(#(#names,)*))
            }
        }
    });
    quote! {
        #[doc = #about]
        #[derive(Clone, Copy, Debug)]
        #[allow(dead_code, unreachable_pub)]
        pub struct #client<'a>(
            /// The call that every method makes.
            pub ::noema_sdk::call::Call<'a>,
        );

        #[automatically_derived]
        impl<'a> ::noema_sdk::call::Client<'a> for #client<'a> {
            fn at(address: &'a ::noema_sdk::Address) -> #client<'a> {
                #client(::noema_sdk::call::contract(address))
            }
            fn with_value(self, value: u128) -> #client<'a> {
                #client(self.0.value(value))
            }
            fn with_gas(self, gas: u64) -> #client<'a> {
                #client(self.0.gas(gas))
            }
        }

        #[automatically_derived]
        #[allow(dead_code, unreachable_pub, private_interfaces, clippy::too_many_arguments)]
        impl #client<'_> {
            #(#methods)*
        }
    }
}

/// A type outside the `impl` block that it was written in.
fn of(contract: &Type, ty: &Type) -> TokenStream {
    replace_self(ty.to_token_stream(), contract)
}

fn replace_self(tokens: TokenStream, contract: &Type) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => contract.to_token_stream(),
            TokenTree::Group(group) => {
                let inner = replace_self(group.stream(), contract);
                TokenTree::from(Group::new(group.delimiter(), inner)).into()
            }
            other => other.into(),
        })
        .collect()
}
