//! From the table of host functions to imports and safe functions. What a parameter looks like
//! follows from its kind alone, so a new row needs nothing here.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitInt, LitStr, Token, Visibility, braced, bracketed, parenthesized};

struct Table {
    groups: Vec<Group>,
}

struct Group {
    docs: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    rows: Vec<Row>,
}

struct Row {
    docs: Vec<Attribute>,
    name: Ident,
    params: Vec<(Ident, Kind)>,
    result: Return,
}

enum Kind {
    Scalar(Ident),
    Bytes,
    Out,
    In(usize),
    OutFixed(usize),
    Handle(&'static str),
}

enum Return {
    Unit,
    Number,
    Handle(&'static str),
    Never,
}

impl Parse for Table {
    fn parse(input: ParseStream<'_>) -> syn::Result<Table> {
        let mut groups = Vec::new();
        while !input.is_empty() {
            groups.push(input.parse()?);
        }
        Ok(Table { groups })
    }
}

impl Parse for Group {
    fn parse(input: ParseStream<'_>) -> syn::Result<Group> {
        let docs = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![mod]>()?;
        let name = input.parse()?;
        let body;
        braced!(body in input);
        let mut rows = Vec::new();
        while !body.is_empty() {
            rows.push(body.parse()?);
        }
        Ok(Group { docs, visibility, name, rows })
    }
}

impl Parse for Row {
    fn parse(input: ParseStream<'_>) -> syn::Result<Row> {
        let docs = input.call(Attribute::parse_outer)?;
        input.parse::<LitInt>()?;
        input.call(Ident::parse_any)?;
        input.parse::<LitInt>()?;
        let name = input.parse()?;
        let list;
        parenthesized!(list in input);
        let mut params = Vec::new();
        while !list.is_empty() {
            let name = list.parse()?;
            list.parse::<Token![:]>()?;
            params.push((name, list.parse()?));
            if !list.is_empty() {
                list.parse::<Token![,]>()?;
            }
        }
        input.parse::<Token![->]>()?;
        let result = input.parse()?;
        input.call(Ident::parse_any)?;
        let price;
        parenthesized!(price in input);
        price.parse::<TokenStream>()?;
        input.parse::<Token![;]>()?;
        Ok(Row { docs, name, params, result })
    }
}

impl Parse for Kind {
    fn parse(input: ParseStream<'_>) -> syn::Result<Kind> {
        let kind: Ident = input.call(Ident::parse_any)?;
        Ok(match kind.to_string().as_str() {
            "u32" | "i32" | "u64" | "i64" => Kind::Scalar(kind),
            "bytes" => Kind::Bytes,
            "out" => Kind::Out,
            "in16" => Kind::In(16),
            "in32" => Kind::In(32),
            "in64" => Kind::In(64),
            "out16" => Kind::OutFixed(16),
            "out32" => Kind::OutFixed(32),
            "out64" => Kind::OutFixed(64),
            "tensor" => Kind::Handle("Tensor"),
            "model" => Kind::Handle("Model"),
            other => return Err(syn::Error::new(kind.span(), format!("the SDK does not know the kind `{other}`"))),
        })
    }
}

impl Parse for Return {
    fn parse(input: ParseStream<'_>) -> syn::Result<Return> {
        let result: Ident = input.call(Ident::parse_any)?;
        Ok(match result.to_string().as_str() {
            "unit" => Return::Unit,
            "u64" => Return::Number,
            "tensor" => Return::Handle("Tensor"),
            "model" => Return::Handle("Model"),
            "never" => Return::Never,
            other => return Err(syn::Error::new(result.span(), format!("the SDK does not know the result `{other}`"))),
        })
    }
}

impl Kind {
    /// The parameters of the import.
    fn import_params(&self, name: &Ident) -> TokenStream {
        let (pointer, length) = (format_ident!("{name}_ptr"), format_ident!("{name}_len"));
        match self {
            Kind::Scalar(scalar) => quote!(#name: #scalar),
            Kind::Handle(_) => quote!(#name: u32),
            Kind::Bytes => quote!(#pointer: *const u8, #length: usize),
            Kind::Out => quote!(#pointer: *mut u8, #length: usize),
            Kind::In(_) => quote!(#pointer: *const u8),
            Kind::OutFixed(_) => quote!(#pointer: *mut u8),
        }
    }

    /// The type in the safe function.
    fn safe_type(&self) -> TokenStream {
        match self {
            Kind::Scalar(scalar) => quote!(#scalar),
            Kind::Handle(_) => quote!(u32),
            Kind::Bytes => quote!(&[u8]),
            Kind::Out => quote!(&mut [u8]),
            Kind::In(length) => quote!(&[u8; #length]),
            Kind::OutFixed(length) => quote!(&mut [u8; #length]),
        }
    }

    /// What the safe function passes on.
    fn import_args(&self, name: &Ident) -> TokenStream {
        match self {
            Kind::Scalar(_) | Kind::Handle(_) => quote!(#name),
            Kind::Bytes => quote!(#name.as_ptr(), #name.len()),
            Kind::Out => quote!(#name.as_mut_ptr(), #name.len()),
            Kind::In(_) => quote!(#name.as_ptr()),
            Kind::OutFixed(_) => quote!(#name.as_mut_ptr()),
        }
    }
}

/// Every row as `sys::GROUP::NAME`.
pub(crate) fn expand_imports(table: TokenStream) -> syn::Result<TokenStream> {
    let table: Table = syn::parse2(table)?;
    Ok(import_modules(&table, &quote!(super::answer)))
}

/// The rows of an extension as `GROUP::NAME`, behind the path of `sys::answer` in brackets.
pub(crate) fn expand_extension(input: TokenStream) -> syn::Result<TokenStream> {
    struct Extension {
        answer: TokenStream,
        table: Table,
    }
    impl Parse for Extension {
        fn parse(input: ParseStream<'_>) -> syn::Result<Extension> {
            let answer;
            bracketed!(answer in input);
            Ok(Extension { answer: answer.parse()?, table: input.parse()? })
        }
    }
    let Extension { answer, table } = syn::parse2(input)?;
    Ok(import_modules(&table, &answer))
}

/// A module for each group. `answer` is the path of what reads results.
fn import_modules(table: &Table, answer: &TokenStream) -> TokenStream {
    let groups = table.groups.iter().map(|group| {
        let Group { docs, visibility, name, rows } = group;
        let visibility = match visibility {
            Visibility::Inherited => quote!(pub),
            given => quote!(#given),
        };
        let module = LitStr::new(&name.to_string(), Span::call_site());
        let imports = rows.iter().map(import);
        let functions = rows.iter().map(|row| safe_function(name, row, answer));
        quote! {
            #(#docs)*
            #visibility mod #name {
                #[cfg(target_arch = "wasm32")]
                mod import {
                    #[link(wasm_import_module = #module)]
                    unsafe extern "C" { #(#imports)* }
                }
                #(#functions)*
            }
        }
    });
    quote!(#(#groups)*)
}

fn import(row: &Row) -> TokenStream {
    let name = &row.name;
    let params = row.params.iter().map(|(name, kind)| kind.import_params(name));
    quote!(pub(super) fn #name(#(#params),*) -> i64;)
}

fn safe_function(group: &Ident, row: &Row, answer: &TokenStream) -> TokenStream {
    let Row { docs, name, params, result } = row;
    let names: Vec<_> = params.iter().map(|(name, _)| name).collect();
    let types = params.iter().map(|(_, kind)| kind.safe_type());
    let args = params.iter().map(|(name, kind)| kind.import_args(name));
    let full_name = format!("{group}.{name}");
    let (output, convert) = match result {
        Return::Unit => (quote!(Result<(), #answer::Status>), quote!(#answer::unit(result))),
        Return::Number => (quote!(Result<u64, #answer::Status>), quote!(#answer::number(result))),
        Return::Handle(_) => (quote!(Result<u32, #answer::Status>), quote!(#answer::handle(result))),
        Return::Never => (quote!(!), quote!(#answer::unreachable(result))),
    };
    // Outside the VM an empty body with unused arguments would warn, hence the tuple.
    quote! {
        #(#docs)*
        #[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
        #[inline]
        pub fn #name(#(#names: #types),*) -> #output {
            #[cfg(target_arch = "wasm32")]
            {
                let result = unsafe { import::#name(#(#args),*) };
                #convert
            }
            #[cfg(not(target_arch = "wasm32"))]
            {
                let _ = (#(#names,)*);
                #answer::outside(#full_name)
            }
        }
    }
}

/// Every `op` row as a function over `Tensor` and `Model`.
pub(crate) fn expand_ops(table: TokenStream) -> syn::Result<TokenStream> {
    let table: Table = syn::parse2(table)?;
    let functions = table.groups.iter().filter(|group| group.name == "op").flat_map(|group| &group.rows).map(|row| {
        let Row { docs, name, params, result } = row;
        let names = params.iter().map(|(name, _)| name);
        let types = params.iter().map(|(_, kind)| match kind {
            Kind::Handle(wrapper) => {
                let wrapper = Ident::new(wrapper, Span::call_site());
                quote!(&crate::#wrapper)
            }
            _ => kind.safe_type(),
        });
        let args = params.iter().map(|(name, kind)| match kind {
            Kind::Handle(_) => quote!(#name.handle()),
            _ => quote!(#name),
        });
        let (output, convert) = match result {
            Return::Unit => (quote!(()), quote!()),
            Return::Number => (quote!(u64), quote!()),
            Return::Handle(wrapper) => {
                let wrapper = Ident::new(wrapper, Span::call_site());
                (quote!(crate::#wrapper), quote!(.map(crate::#wrapper::from_handle)))
            }
            Return::Never => {
                return Err(syn::Error::new(name.span(), "an `op` row must return"));
            }
        };
        Ok(quote! {
            #(#docs)*
            ///
            /// # Errors
            /// The statuses named above.
            #[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
            #[inline]
            pub fn #name(#(#names: #types),*) -> Result<#output, noema_abi::Status> {
                crate::sys::op::#name(#(#args),*) #convert
            }
        })
    });
    let functions = functions.collect::<syn::Result<Vec<_>>>()?;
    Ok(quote!(#(#functions)*))
}

#[cfg(test)]
mod tests {
    use super::{expand_extension, expand_imports, expand_ops};
    use quote::quote;

    #[test]
    fn kinds_become_parameters() {
        let table = quote! {
            mod op {
                #[doc = "Frobs."]
                1 since 1 frob(x: tensor, m: model, n: u32, data: bytes, key: in32, sum: out64) -> tensor price(1, 2, 3);
            }
        };
        let imports = expand_imports(table.clone()).unwrap().to_string();
        let expected = quote! {
            fn frob(x: u32, m: u32, n: u32, data_ptr: *const u8, data_len: usize, key_ptr: *const u8, sum_ptr: *mut u8)
                -> i64;
        };
        assert!(imports.contains(&expected.to_string()), "{imports}");
        let ops = expand_ops(table).unwrap().to_string();
        let expected = quote!(x: &crate::Tensor, m: &crate::Model, n: u32, data: &[u8], key: &[u8; 32usize], sum: &mut [u8; 64usize]);
        assert!(ops.contains(&expected.to_string()), "{ops}");
    }

    #[test]
    fn an_extension_names_the_sdk_and_keeps_its_visibility() {
        let table = quote! {
            [sdk::answer]
            #[doc = "Mine."]
            pub(crate) mod mychain {
                #[doc = "Frobs."]
                0x8001 since 1 frob(x: u64) -> unit price(1, 2, 3);
            }
        };
        let imports = expand_extension(table).unwrap().to_string();
        for expected in [
            quote!(pub(crate) mod mychain),
            quote!(#[link(wasm_import_module = "mychain")]),
            quote!(pub fn frob(x: u64) -> Result<(), sdk::answer::Status>),
            quote!(sdk::answer::unit(result)),
        ] {
            assert!(imports.contains(&expected.to_string()), "{imports}");
        }
    }

    #[test]
    fn an_unknown_kind_is_an_error() {
        let table = quote!(mod op { 1 since 1 frob(x: float) -> tensor price(1, 2, 3); });
        assert!(expand_ops(table).unwrap_err().to_string().contains("`float`"));
    }
}
