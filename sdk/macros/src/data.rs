//! `#[data]`, `#[state]`, `#[event]` and `#[derive(Type)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, Result};

/// The topic of an event stands in every receipt; the host refuses longer ones.
const MAX_TOPIC_BYTES: usize = 64;

/// The encoding of borsh, twice: by the crate `borsh` for programs, and by the SDK for contracts.
fn borsh(item: &TokenStream, more: &TokenStream) -> Result<TokenStream> {
    let coding = coding(&syn::parse2(item.clone())?)?;
    Ok(quote! {
        #[derive(::noema_sdk::borsh::BorshSerialize, ::noema_sdk::borsh::BorshDeserialize, #more)]
        #[borsh(crate = "::noema_sdk::borsh")]
        #item
        #coding
    })
}

/// `Encode` and `Decode`.
fn coding(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "a type that is encoded has no generic parameters"));
    }
    let name = &input.ident;
    let (encode, decode) = match &input.data {
        Data::Struct(data) => {
            let Coded { pattern, encode, decode } = Coded::of(&data.fields)?;
            (quote!(let Self #pattern = self; #(#encode)*), quote!(::core::option::Option::Some(Self #decode)))
        }
        Data::Enum(data) => {
            let (mut encodes, mut decodes) = (Vec::new(), Vec::new());
            for (index, variant) in data.variants.iter().enumerate() {
                let Ok(index) = u8::try_from(index) else {
                    return Err(Error::new(variant.span(), "an enum that is encoded has at most 256 variants"));
                };
                if let Some((_, discriminant)) = &variant.discriminant {
                    return Err(Error::new(
                        discriminant.span(),
                        "variants of an interface type are numbered in order; write no discriminants",
                    ));
                }
                let Coded { pattern, encode, decode } = Coded::of(&variant.fields)?;
                let variant = &variant.ident;
                encodes.push(quote!(Self::#variant #pattern => { __out.push(#index); #(#encode)* }));
                decodes.push(quote!(#index => ::core::option::Option::Some(Self::#variant #decode)));
            }
            let encode = if encodes.is_empty() { quote!(match *self {}) } else { quote!(match self { #(#encodes)* }) };
            (
                encode,
                quote!(match <u8 as ::noema_sdk::encoding::Decode>::decode(__input)? {
                    #(#decodes,)*
                    _ => ::core::option::Option::None,
                }),
            )
        }
        Data::Union(data) => return Err(Error::new(data.union_token.span(), "a union cannot be part of an interface")),
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::noema_sdk::encoding::Encode for #name {
            #[allow(unused_variables)]
            fn encode(&self, __out: &mut ::noema_sdk::__private::Vec<u8>) { #encode }
        }
        #[automatically_derived]
        impl ::noema_sdk::encoding::Decode for #name {
            #[allow(unused_variables)]
            fn decode(__input: &mut &[u8]) -> ::core::option::Option<Self> { #decode }
        }
    })
}

/// The fields of a struct or variant, taken apart and put together.
struct Coded {
    pattern: TokenStream,
    encode: Vec<TokenStream>,
    decode: TokenStream,
}

impl Coded {
    fn of(fields: &Fields) -> Result<Coded> {
        no_borsh_attributes(fields)?;
        let names: Vec<_> = (0..fields.len()).map(|index| quote::format_ident!("__field{index}")).collect();
        let encode =
            names.iter().map(|name| quote!(::noema_sdk::encoding::Encode::encode(#name, __out);)).collect::<Vec<_>>();
        let decode = fields.iter().map(|field| {
            let ty = &field.ty;
            quote_spanned!(ty.span()=> <#ty as ::noema_sdk::encoding::Decode>::decode(__input)?)
        });
        let (pattern, decode) = match fields {
            Fields::Named(named) => {
                let idents = named.named.iter().map(|field| &field.ident);
                let pattern = idents.clone().zip(&names).map(|(ident, name)| quote!(#ident: #name));
                (quote!({ #(#pattern),* }), quote!({ #(#idents: #decode),* }))
            }
            Fields::Unnamed(_) => (quote!((#(#names),*)), quote!((#(#decode),*))),
            Fields::Unit => (quote!(), quote!()),
        };
        Ok(Coded { pattern, encode, decode })
    }
}

fn no_borsh_attributes(fields: &Fields) -> Result<()> {
    for field in fields {
        if let Some(attribute) = field.attrs.iter().find(|attribute| attribute.path().is_ident("borsh")) {
            return Err(Error::new(
                attribute.span(),
                "a `borsh` attribute would make the encoding differ from the interface",
            ));
        }
    }
    Ok(())
}

fn no_arguments(attribute: &TokenStream, name: &str) -> Result<()> {
    if attribute.is_empty() {
        return Ok(());
    }
    Err(Error::new(attribute.span(), format!("`#[{name}]` takes no arguments")))
}

pub(crate) fn expand_data(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    no_arguments(&attribute, "data")?;
    borsh(&item, &quote!(::noema_sdk::Type))
}

pub(crate) fn expand_state(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    no_arguments(&attribute, "state")?;
    borsh(&item, &quote!())
}

pub(crate) fn expand_event(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item.clone())?;
    let name = &input.ident;
    let topic = if attribute.is_empty() {
        LitStr::new(&snake_case(&name.unraw().to_string()), name.span())
    } else {
        syn::parse2::<LitStr>(attribute)?
    };
    let length = topic.value().len();
    if length == 0 || length > MAX_TOPIC_BYTES {
        return Err(Error::new(topic.span(), format!("a topic has 1 to {MAX_TOPIC_BYTES} bytes, this one {length}")));
    }
    if topic.value().chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        return Err(Error::new(topic.span(), "a topic holds no quotes, backslashes or control characters"));
    }
    let item = borsh(&item, &quote!(::noema_sdk::Type))?;
    Ok(quote! {
        #item
        #[automatically_derived]
        impl ::noema_sdk::Event for #name {
            const TOPIC: &'static str = #topic;
        }
    })
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

pub(crate) fn expand_type(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "a type of the interface has no generic parameters"));
    }
    let body = match &input.data {
        Data::Struct(data) => body(&data.fields)?,
        Data::Enum(data) => {
            let mut variants = Vec::new();
            for variant in &data.variants {
                if let Some((_, discriminant)) = &variant.discriminant {
                    return Err(Error::new(
                        discriminant.span(),
                        "variants of an interface type are numbered in order; write no discriminants",
                    ));
                }
                let name = variant.ident.unraw().to_string();
                let body = body(&variant.fields)?;
                variants.push(quote!(::noema_sdk::schema::Variant { name: #name, body: #body }));
            }
            quote!(::noema_sdk::schema::Body::Enum(&[#(#variants),*]))
        }
        Data::Union(data) => return Err(Error::new(data.union_token.span(), "a union cannot be part of an interface")),
    };
    let ident = &input.ident;
    let name = ident.unraw().to_string();
    Ok(quote! {
        #[automatically_derived]
        impl ::noema_sdk::Type for #ident {
            const SHAPE: ::noema_sdk::schema::Shape =
                ::noema_sdk::schema::Shape::Named(&::noema_sdk::schema::Definition {
                    name: #name,
                    path: ::core::concat!(::core::module_path!(), "::", #name),
                    body: #body,
                });
        }
    })
}

fn body(fields: &Fields) -> Result<TokenStream> {
    no_borsh_attributes(fields)?;
    let shapes = fields.iter().map(|field| {
        let ty = &field.ty;
        shape_of(ty)
    });
    Ok(match fields {
        Fields::Named(named) => {
            let names = named.named.iter().map(|field| field.ident.as_ref().map(|i: &Ident| i.unraw().to_string()));
            quote!(::noema_sdk::schema::Body::Struct(&[#((#names, #shapes)),*]))
        }
        Fields::Unnamed(_) => quote!(::noema_sdk::schema::Body::Tuple(&[#(#shapes),*])),
        Fields::Unit => quote!(::noema_sdk::schema::Body::Struct(&[])),
    })
}

/// A reference to the description of a type; a type without one is reported where it stands.
pub(crate) fn shape_of(ty: &syn::Type) -> TokenStream {
    quote_spanned!(ty.span()=> &<#ty as ::noema_sdk::Type>::SHAPE)
}

#[cfg(test)]
mod tests {
    use super::{expand_data, expand_event, expand_type, snake_case};
    use quote::quote;

    fn refusal(item: proc_macro2::TokenStream) -> String {
        expand_type(item).unwrap_err().to_string()
    }

    #[test]
    fn types_that_cannot_be_described_are_refused() {
        assert!(
            refusal(quote!(
                struct A<T>(T);
            ))
            .contains("no generic parameters")
        );
        assert!(
            refusal(quote!(
                enum A {
                    B = 3,
                }
            ))
            .contains("no discriminants")
        );
        assert!(refusal(quote!(union A { a: u8, b: u8 })).contains("union"));
        assert!(
            refusal(quote!(
                struct A {
                    #[borsh(skip)]
                    a: u8,
                }
            ))
            .contains("borsh")
        );
    }

    #[test]
    fn fields_and_variants_are_described_in_order() {
        let text = expand_type(quote!(
            enum Verdict {
                Unknown,
                Benign(u32),
                Malignant { score: i32 },
            }
        ))
        .unwrap();
        let text = text.to_string();
        let order = ["\"Unknown\"", "\"Benign\"", "\"Malignant\"", "\"score\""].map(|name| text.find(name).unwrap());
        assert!(order.is_sorted(), "{text}");
    }

    #[test]
    fn topics() {
        assert_eq!(snake_case("DecisionMade"), "decision_made");
        let text = expand_event(
            quote!(),
            quote!(
                struct DecisionMade;
            ),
        )
        .unwrap()
        .to_string();
        assert!(text.contains("\"decision_made\""), "{text}");
        let text = expand_event(
            quote!("decision"),
            quote!(
                struct DecisionMade;
            ),
        )
        .unwrap()
        .to_string();
        assert!(text.contains("TOPIC : & 'static str = \"decision\""), "{text}");
        let long = "x".repeat(65);
        assert!(
            expand_event(
                quote!(#long),
                quote!(
                    struct A;
                )
            )
            .unwrap_err()
            .to_string()
            .contains("64 bytes")
        );
        assert!(
            expand_event(
                quote!("a\"b"),
                quote!(
                    struct A;
                )
            )
            .is_err()
        );
    }

    #[test]
    fn data_takes_no_arguments() {
        assert!(
            expand_data(
                quote!(x),
                quote!(
                    struct A;
                )
            )
            .is_err()
        );
    }
}
