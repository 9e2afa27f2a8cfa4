//! `#[contract]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, ItemImpl, Meta, Pat, Path, PathArguments,
    Result, ReturnType, Token, Type,
};

use crate::client::{ClientMethod, client};
use crate::data::shape_of;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Init,
    Call,
    View,
    Migrate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiver {
    None,
    Shared,
    Mutable,
}

/// What a method returns, read off its spelling.
enum Output {
    Value(Type),
    /// `Result<T, ..>`
    Fallible(Type),
}

struct Method {
    /// The comment on it.
    docs: Vec<Attribute>,
    name: Ident,
    entry: Entry,
    payable: bool,
    /// Whether it may run while the contract is running already.
    reentrant: bool,
    receiver: Receiver,
    args: Vec<(Ident, Type)>,
    output: Output,
}

impl Entry {
    fn of(attribute: &Attribute) -> Option<Entry> {
        let path = attribute.path();
        [("init", Entry::Init), ("call", Entry::Call), ("view", Entry::View), ("migrate", Entry::Migrate)]
            .into_iter()
            .find_map(|(name, entry)| path.is_ident(name).then_some(entry))
    }

    fn name(self) -> &'static str {
        match self {
            Entry::Init => "init",
            Entry::Call => "call",
            Entry::View => "view",
            Entry::Migrate => "migrate",
        }
    }
}

impl Output {
    fn value(&self) -> &Type {
        match self {
            Output::Value(ty) | Output::Fallible(ty) => ty,
        }
    }
}

/// Collects every error, so that an author sees all of them at once.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn add(&mut self, at: &impl Spanned, message: impl std::fmt::Display) {
        self.push(Error::new(at.span(), message));
    }
}

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Named { events, errors: error_types } = named(attribute)?;
    let mut block: ItemImpl = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), format!("`#[contract]` goes on `impl Type {{ .. }}`: {error}")))?;
    let mut errors = Errors::default();
    if let Some((_, path, _)) = &block.trait_ {
        errors.add(path, "`#[contract]` goes on the type's own `impl` block, not on a trait's");
    }
    if !block.generics.params.is_empty() {
        errors.add(&block.generics, "a contract has no generic parameters");
    }
    let Some(contract) = type_name(&block.self_ty) else {
        errors.add(&block.self_ty, "`#[contract]` needs a named type");
        return Err(errors.0.unwrap_or_else(|| unreachable!("just added")));
    };
    let mut methods = Vec::new();
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            methods.extend(method(function, &mut errors));
        }
    }
    for (entry, required) in [(Entry::Init, true), (Entry::Migrate, false)] {
        let mut found = methods.iter().filter(|method| method.entry == entry);
        let name = entry.name();
        if found.next().is_none() && required && errors.0.is_none() {
            errors.add(&block.self_ty, format!("a contract needs one method marked `#[{name}]`"));
        }
        for second in found {
            errors.add(&second.name, format!("a contract has only one method marked `#[{name}]`"));
        }
    }
    if let Some(error) = errors.0 {
        return Err(error);
    }
    Ok(generate(&block, &contract, &methods, &events, &error_types))
}

/// Types that the interface names beside those of the methods.
#[derive(Default)]
struct Named {
    events: Vec<Path>,
    errors: Vec<Path>,
}

/// `events(A, B), errors(C)`.
fn named(attribute: TokenStream) -> Result<Named> {
    let usage = "expected `#[contract]`, with `events(First, Second)`, `errors(First)` or both in parentheses";
    let mut named = Named::default();
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated
        .parse2(attribute)
        .map_err(|error| Error::new(error.span(), usage))?;
    for meta in metas {
        let Meta::List(list) = &meta else { return Err(Error::new(meta.span(), usage)) };
        let place = match &list.path {
            path if path.is_ident("events") => &mut named.events,
            path if path.is_ident("errors") => &mut named.errors,
            other => return Err(Error::new(other.span(), usage)),
        };
        if !place.is_empty() {
            return Err(Error::new(meta.span(), usage));
        }
        place.extend(list.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?);
    }
    Ok(named)
}

fn type_name(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    Some(path.path.segments.last()?.ident.unraw().to_string())
}

/// Takes the marker off a method and reads it; `None` for an unmarked one.
fn method(function: &mut ImplItemFn, errors: &mut Errors) -> Option<Method> {
    let mut markers = Vec::new();
    function.attrs.retain(|attribute| match Entry::of(attribute) {
        Some(entry) => {
            markers.push((entry, attribute.clone()));
            false
        }
        None => true,
    });
    let mut markers = markers.into_iter();
    let (entry, marker) = markers.next()?;
    if let Some((_, second)) = markers.next() {
        errors.add(&second, "a method has only one of `#[init]`, `#[call]`, `#[view]` and `#[migrate]`");
    }
    let Flags { payable, reentrant } = flags(entry, &marker, errors);
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        errors.add(token, "an entry point cannot be `async`");
    }
    if let Some(token) = &signature.unsafety {
        errors.add(token, "an entry point cannot be `unsafe`");
    }
    if !signature.generics.params.is_empty() {
        errors.add(&signature.generics, "an entry point has no generic parameters");
    }
    let (receiver, args) = arguments(function, errors);
    check_receiver(entry, receiver, function, errors);
    let output = output(&signature.output, errors);
    let returns_self = matches!(output.value(), Type::Path(path) if path.path.is_ident("Self"));
    let must_return_self = entry == Entry::Init || (entry == Entry::Migrate && receiver == Receiver::None);
    if must_return_self && !returns_self {
        let message = format!("an `#[{}]` method without `self` returns `Self` or `Result<Self>`", entry.name());
        errors.add(&signature.ident, message);
    } else if !must_return_self && returns_self {
        errors.add(&signature.output, "only `#[init]` and `#[migrate]` return the contract itself");
    }
    let docs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect();
    Some(Method { docs, name: signature.ident.clone(), entry, payable, reentrant, receiver, args, output })
}

/// What stands in the parentheses of a marker.
#[derive(Clone, Copy, Default)]
struct Flags {
    payable: bool,
    reentrant: bool,
}

fn flags(entry: Entry, marker: &Attribute, errors: &mut Errors) -> Flags {
    let mut flags = Flags::default();
    let words = match &marker.meta {
        // Whoever deploys or migrates sends the deposit for what is kept.
        Meta::Path(_) => return Flags { payable: matches!(entry, Entry::Init | Entry::Migrate), ..flags },
        Meta::List(list) => list.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated).ok(),
        Meta::NameValue(_) => None,
    };
    let words = words.filter(|words| !words.is_empty());
    let known = words.is_some_and(|words| {
        words.iter().all(|word| {
            let flag = match word {
                word if word == "payable" => &mut flags.payable,
                word if word == "reentrant" => &mut flags.reentrant,
                _ => return false,
            };
            !std::mem::replace(flag, true)
        })
    });
    if !known {
        let name = entry.name();
        errors.add(marker, format!("expected `#[{name}]`, with `(payable)`, `(reentrant)` or both in parentheses"));
    } else if flags.payable && entry == Entry::View {
        errors.add(marker, "`#[view]` receives no value");
    } else if flags.reentrant && matches!(entry, Entry::Init | Entry::Migrate) {
        errors.add(marker, format!("`#[{}]` runs once: nothing calls it again", entry.name()));
    }
    flags
}

fn arguments(function: &ImplItemFn, errors: &mut Errors) -> (Receiver, Vec<(Ident, Type)>) {
    let mut receiver = Receiver::None;
    let mut args = Vec::new();
    for input in &function.sig.inputs {
        match input {
            FnArg::Receiver(this) if this.reference.is_none() || this.colon_token.is_some() => {
                errors.add(this, "an entry point takes `&self` or `&mut self`");
            }
            FnArg::Receiver(this) if this.mutability.is_some() => receiver = Receiver::Mutable,
            FnArg::Receiver(_) => receiver = Receiver::Shared,
            FnArg::Typed(arg) => {
                let Pat::Ident(name) = &*arg.pat else {
                    errors.add(&arg.pat, "an argument of an entry point needs a plain name");
                    continue;
                };
                match &*arg.ty {
                    Type::Reference(reference) => {
                        errors.add(
                            reference,
                            "arguments arrive as owned values: `String` for `&str`, `Vec<T>` for `&[T]`",
                        );
                    }
                    Type::ImplTrait(ty) => errors.add(ty, "an argument of an entry point has a concrete type"),
                    ty => args.push((name.ident.clone(), ty.clone())),
                }
            }
        }
    }
    (receiver, args)
}

fn check_receiver(entry: Entry, receiver: Receiver, function: &ImplItemFn, errors: &mut Errors) {
    let at = &function.sig.ident;
    match (entry, receiver) {
        (Entry::Init, Receiver::Shared | Receiver::Mutable) => {
            errors.add(at, "`#[init]` makes the contract: it takes no `self`");
        }
        (Entry::View, Receiver::Mutable) => errors.add(at, "a `#[view]` cannot change the contract: take `&self`"),
        (Entry::Migrate, Receiver::Shared) => {
            errors.add(at, "`#[migrate]` takes `&mut self`, or no `self` and returns the new `Self`");
        }
        _ => {}
    }
}

fn output(output: &ReturnType, errors: &mut Errors) -> Output {
    let ty = match output {
        ReturnType::Default => return Output::Value(syn::parse_quote!(())),
        ReturnType::Type(_, ty) => &**ty,
    };
    match ty {
        Type::Reference(_) | Type::ImplTrait(_) => errors.add(ty, "an entry point returns an owned, concrete value"),
        Type::Path(path) => {
            if let Some(last) = path.path.segments.last()
                && last.ident == "Result"
            {
                let first = match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => arguments.args.first(),
                    _ => None,
                };
                match first {
                    Some(GenericArgument::Type(value)) => return Output::Fallible(value.clone()),
                    _ => errors.add(ty, "write out what the result holds: `Result<T>`"),
                }
            }
        }
        _ => {}
    }
    Output::Value(ty.clone())
}

fn generate(block: &ItemImpl, name: &str, methods: &[Method], events: &[Path], error_types: &[Path]) -> TokenStream {
    let contract = &block.self_ty;
    let described = methods.iter().map(describe);
    // Where a method may run inside another one, the state may have changed under that one.
    let guarded = methods.iter().any(|method| method.reentrant);
    let run = |method: &Method| run(method, guarded);
    let arm = |method: &Method| arm(method, guarded);
    let init = methods.iter().filter(|method| method.entry == Entry::Init).map(run);
    let migrate = methods.iter().filter(|method| method.entry == Entry::Migrate).map(run);
    let views: Vec<_> = methods.iter().filter(|method| method.entry == Entry::View).map(arm).collect();
    let calls: Vec<_> = methods.iter().filter(|method| method.entry == Entry::Call).map(arm).collect();
    let again = |entry: Entry| methods.iter().filter(move |method| method.reentrant && method.entry == entry).map(arm);
    let (views_again, calls_again): (Vec<_>, Vec<_>) = (again(Entry::View).collect(), again(Entry::Call).collect());
    let has = |entry: Entry| methods.iter().any(|method| method.entry == entry);
    let dispatch = |arms: &[TokenStream], otherwise: TokenStream| {
        quote! {
            let (__method, mut __input) = __whole.method()?;
            match __method {
                #(#arms)*
                _ => #otherwise,
            }
        }
    };
    let unknown = quote!(::core::result::Result::Err(::noema_sdk::entry::unknown_method(__method)));
    let view = has(Entry::View).then(|| {
        let body = dispatch(&views, unknown.clone());
        quote!(fn view(__whole: ::noema_sdk::entry::Input<'_>) -> ::noema_sdk::Result<()> { #body })
    });
    // A contract called by another one arrives at `call`, and may be asked for a view there.
    let otherwise =
        if view.is_some() { quote!(<Self as ::noema_sdk::entry::Contract>::view(__whole)) } else { unknown };
    let call = (has(Entry::Call) || has(Entry::View)).then(|| {
        let body = if calls.is_empty() { otherwise } else { dispatch(&calls, otherwise) };
        quote!(fn call(__whole: ::noema_sdk::entry::Input<'_>) -> ::noema_sdk::Result<()> { #body })
    });
    let refused = quote!(::core::result::Result::Err(::noema_sdk::entry::not_reentrant(__method)));
    let view_reentrant = (!views_again.is_empty()).then(|| {
        let body = dispatch(&views_again, refused.clone());
        quote!(fn view_reentrant(__whole: ::noema_sdk::entry::Input<'_>) -> ::noema_sdk::Result<()> { #body })
    });
    let call_reentrant = guarded.then(|| {
        let all: Vec<_> = calls_again.iter().chain(&views_again).cloned().collect();
        let body = dispatch(&all, refused);
        quote!(fn call_reentrant(__whole: ::noema_sdk::entry::Input<'_>) -> ::noema_sdk::Result<()> { #body })
    });
    let migrate = has(Entry::Migrate).then(|| {
        quote! {
            fn migrate(mut __input: ::noema_sdk::entry::Input<'_>) -> ::noema_sdk::Result<()> { #(#migrate)* }
        }
    });
    let all_exports = [
        ("init", true),
        ("call", call.is_some()),
        ("view", view.is_some()),
        ("migrate", migrate.is_some()),
        ("call_reentrant", call_reentrant.is_some()),
        ("view_reentrant", view_reentrant.is_some()),
    ];
    let exports = all_exports.into_iter().filter(|(_, present)| *present).map(|(export, _)| {
        let function = format_ident!("__noema_{export}");
        let entry = Ident::new(export, proc_macro2::Span::call_site());
        quote! {
            #[unsafe(export_name = #export)]
            extern "C" fn #function() {
                ::noema_sdk::entry::run(<#contract as ::noema_sdk::entry::Contract>::#entry);
            }
        }
    });
    let public = methods.iter().filter(|method| matches!(method.entry, Entry::Call | Entry::View));
    let public = public.map(|method| ClientMethod {
        docs: &method.docs,
        name: &method.name,
        args: &method.args,
        returns: method.output.value(),
    });
    let client = client(contract, name, &public.collect::<Vec<_>>());
    quote! {
        #block

        #client

        #[automatically_derived]
        impl ::noema_sdk::entry::Contract for #contract {
            const INTERFACE: ::noema_sdk::schema::Interface = ::noema_sdk::schema::Interface {
                name: #name,
                methods: &[#(#described),*],
                events: &[#((
                    <#events as ::noema_sdk::Event>::TOPIC,
                    &<#events as ::noema_sdk::Type>::SHAPE,
                )),*],
                errors: &[#(<#error_types as ::noema_sdk::TypedError>::ERRORS),*],
            };
            fn init(mut __input: ::noema_sdk::entry::Input<'_>) -> ::noema_sdk::Result<()> { #(#init)* }
            #call
            #view
            #migrate
            #call_reentrant
            #view_reentrant
        }

        // Only in the contract itself, not in one that takes this crate for its client: `noema build` sets it for the
        // one crate that it builds.
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(all(target_arch = "wasm32", noema_contract))]
            const _: () = {
            #(#exports)*

            const __INTERFACE: ::noema_sdk::schema::Interface =
                <#contract as ::noema_sdk::entry::Contract>::INTERFACE;
            #[used]
            #[unsafe(link_section = "noema.schema")]
            static __SCHEMA: [u8; ::noema_sdk::schema::json_len(&__INTERFACE)] =
                ::noema_sdk::schema::json(&__INTERFACE);
            };
        };
    }
}

/// The method as an entry of the interface.
fn describe(method: &Method) -> TokenStream {
    let name = method.name.unraw().to_string();
    let kind = match method.entry {
        Entry::Init => quote!(Init),
        Entry::Call => quote!(Call),
        Entry::View => quote!(View),
        Entry::Migrate => quote!(Migrate),
    };
    let payable = method.payable;
    let reentrant = method.reentrant;
    let args = method.args.iter().map(|(name, ty)| {
        let name = name.unraw().to_string();
        let shape = shape_of(ty);
        quote!((#name, #shape))
    });
    let returns = match method.output.value() {
        Type::Path(path) if path.path.is_ident("Self") => quote!(&::noema_sdk::schema::Shape::Unit),
        ty => shape_of(ty),
    };
    quote! {
        ::noema_sdk::schema::Method {
            name: #name,
            kind: ::noema_sdk::schema::MethodKind::#kind,
            payable: #payable,
            reentrant: #reentrant,
            args: &[#(#args),*],
            returns: #returns,
        }
    }
}

fn arm(method: &Method, guarded: bool) -> TokenStream {
    let name = proc_macro2::Literal::byte_string(method.name.unraw().to_string().as_bytes());
    let body = run(method, guarded);
    quote!(#name => { #body })
}

/// Decodes the arguments from `__input`, runs the method, saves, replies.
fn run(method: &Method, guarded: bool) -> TokenStream {
    let Method { name, entry, payable, receiver, args, output, .. } = method;
    // The author's names stay out of the generated scope.
    let names: Vec<_> = (0..args.len()).map(|i| format_ident!("__arg{i}")).collect();
    let reads = names.iter().zip(args).map(|(name, (arg, ty))| {
        let failure = format!("argument `{}` does not decode", arg.unraw());
        quote_spanned!(ty.span()=> let #name: #ty = __input.read(
            const { &::noema_sdk::Failure::new(::noema_sdk::code::BAD_INPUT, #failure) }
        )?;)
    });
    let refuse_value = (!payable && *entry == Entry::Call).then(|| quote!(::noema_sdk::entry::refuse_value()?;));
    let load = match receiver {
        Receiver::None => quote!(),
        Receiver::Shared => quote!(let __state = ::noema_sdk::entry::State::<Self>::load()?;),
        Receiver::Mutable => quote!(let mut __state = ::noema_sdk::entry::State::<Self>::load()?;),
    };
    let this = match receiver {
        Receiver::None => quote!(),
        Receiver::Shared => quote!(&__state.value,),
        Receiver::Mutable => quote!(&mut __state.value,),
    };
    let call = match output {
        Output::Value(_) => quote!(let __output = Self::#name(#this #(#names),*);),
        Output::Fallible(_) => quote! {
            let __output = Self::#name(#this #(#names),*).map_err(::noema_sdk::Error::from)?;
        },
    };
    let finish = match (entry, receiver) {
        (Entry::Init, _) | (Entry::Migrate, Receiver::None) => quote!(::noema_sdk::entry::store(&__output)),
        (_, Receiver::Mutable) if guarded => {
            quote!(__state.save_unless_changed()?; ::noema_sdk::entry::reply(&__output))
        }
        (_, Receiver::Mutable) => quote!(__state.save()?; ::noema_sdk::entry::reply(&__output)),
        _ => quote!(::noema_sdk::entry::reply(&__output)),
    };
    quote! {
        #(#reads)*
        __input.finish()?;
        #refuse_value
        #load
        #call
        #finish
    }
}

#[cfg(test)]
mod tests;
