use quote::quote;

use super::expand;

fn refusal(item: proc_macro2::TokenStream) -> String {
    let error = expand(quote!(), item).expect_err("this contract is refused");
    error.into_iter().map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
}

fn accepted(item: proc_macro2::TokenStream) -> String {
    expand(quote!(), item).expect("this contract is accepted").to_string()
}

#[test]
fn a_contract_needs_one_init() {
    assert!(refusal(quote!(impl A { #[call] fn f(&self) {} })).contains("needs one method marked `#[init]`"));
    let two = quote!(impl A { #[init] fn a() -> Self { A } #[init] fn b() -> Self { A } });
    assert!(refusal(two).contains("only one method marked `#[init]`"));
}

#[test]
fn the_place_of_the_macro_is_checked() {
    assert!(
        refusal(quote!(
            struct A;
        ))
        .contains("goes on `impl Type")
    );
    assert!(refusal(quote!(impl Clone for A { fn clone(&self) -> A { A } })).contains("not on a trait's"));
    assert!(
        refusal(quote!(
            impl<T> A<T> {
                #[init]
                fn new() -> Self {
                    A
                }
            }
        ))
        .contains("no generic parameters")
    );
    assert!(refusal(quote!(impl [u8] { #[init] fn new() -> Self { A } })).contains("needs a named type"));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let errors = refusal(quote! {
        impl A {
            #[init] fn new(&self) {}
            #[view] fn peek(&mut self, name: &str) {}
            #[call] async fn run(self, (a, b): (u8, u8)) {}
            #[call] #[view] fn both(&self) {}
            #[call] fn any<T>(&self, x: impl Into<u8>) {}
            #[call] fn unknown(&self) -> Result {}
            #[migrate] fn move_on(&self) {}
            #[view(payable)] fn paid(&self) {}
            #[call(free)] fn free(&self) {}
            #[call] fn clone_me(&self) -> Self { A }
        }
    });
    for part in [
        "it takes no `self`",
        "returns `Self` or `Result<Self>`",
        "cannot change the contract",
        "`String` for `&str`",
        "cannot be `async`",
        "takes `&self` or `&mut self`",
        "plain name",
        "only one of `#[init]`",
        "no generic parameters",
        "concrete type",
        "write out what the result holds",
        "`#[migrate]` takes `&mut self`",
        "`#[view]` receives no value",
        "expected `#[call]` or `#[call(payable)]`",
        "only `#[init]` and `#[migrate]` return the contract",
    ] {
        assert!(errors.contains(part), "missing: {part}\n{errors}");
    }
}

#[test]
fn markers_go_and_other_attributes_and_methods_stay() {
    let text = accepted(quote! {
        impl A {
            #[init] #[must_use] fn new() -> Self { A }
            fn inner(&self) {}
        }
    });
    assert!(text.starts_with("impl A { # [must_use] fn new () -> Self { A } fn inner (& self) { } }"), "{text}");
}

#[test]
fn only_what_exists_is_exported() {
    let text = accepted(quote!(impl A { #[init] fn new() -> Self { A } }));
    assert!(text.contains("export_name = \"init\""));
    for absent in ["call", "view", "migrate"] {
        assert!(!text.contains(&format!("export_name = \"{absent}\"")), "{absent}");
    }
    // A view is also reachable through `call`, for other contracts.
    let text = accepted(quote!(impl A { #[init] fn new() -> Self { A } #[view] fn peek(&self) -> u8 { 1 } }));
    assert!(text.contains("export_name = \"call\"") && text.contains("export_name = \"view\""));
    assert_eq!(text.matches("b\"peek\" =>").count(), 1, "{text}");
    assert!(text.contains(":: view (__whole)"), "{text}");
}

#[test]
fn a_view_never_dispatches_a_call() {
    let text = accepted(quote! {
        impl A { #[init] fn new() -> Self { A } #[view] fn peek(&self) -> u8 { 1 } #[call] fn poke(&mut self) {} }
    });
    assert_eq!(text.matches("b\"poke\" =>").count(), 1);
    assert_eq!(text.matches(". save ()").count(), 1, "only a method that takes `&mut self` writes the state");
}

#[test]
fn value_is_refused_unless_payable() {
    let text = accepted(quote!(impl A { #[init] fn new() -> Self { A } #[call] fn f(&self) {} }));
    assert_eq!(text.matches("refuse_value").count(), 2);
    let text = accepted(quote!(impl A { #[init(payable)] fn new() -> Self { A } #[call(payable)] fn f(&self) {} }));
    assert_eq!(text.matches("refuse_value").count(), 0);
}

#[test]
fn events_are_listed() {
    let block = quote!(impl A { #[init] fn new() -> Self { A } });
    let text = expand(quote!(events(Made, other::Gone)), block.clone()).unwrap().to_string();
    assert!(text.contains("< Made as :: noema_sdk :: Event > :: TOPIC"));
    assert!(text.contains("< other :: Gone as :: noema_sdk :: Event > :: TOPIC"));
    assert!(expand(quote!(event(Made)), block).unwrap_err().to_string().contains("events(First, Second)"));
}
