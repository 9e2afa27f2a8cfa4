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
            #[call(payable, payable)] fn twice(&self) {}
            #[init(reentrant)] fn once() -> Self { A }
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
        "expected `#[call]`, with `(payable)`, `(reentrant)` or both in parentheses",
        "`#[init]` runs once",
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
    for absent in ["call", "view", "migrate", "call_reentrant", "view_reentrant"] {
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
    // Who deploys sends the deposit.
    assert_eq!(text.matches("refuse_value").count(), 1);
    let text = accepted(quote!(impl A { #[init(payable)] fn new() -> Self { A } #[call(payable)] fn f(&self) {} }));
    assert_eq!(text.matches("refuse_value").count(), 0);
}

#[test]
fn only_what_is_marked_can_be_entered_again() {
    let text = accepted(quote! {
        impl A {
            #[init] fn new() -> Self { A }
            #[call] fn plain(&mut self) {}
            #[call(payable, reentrant)] fn again(&self) {}
            #[view] fn peek(&self) -> u8 { 1 }
            #[view(reentrant)] fn peek_again(&self) -> u8 { 1 }
        }
    });
    for export in ["call_reentrant", "view_reentrant"] {
        assert!(text.contains(&format!("export_name = \"{export}\"")), "{export}");
    }
    // In `call` and `call_reentrant`; a view in `view`, `view_reentrant`, and for calls in `call_reentrant`.
    let arms = |name: &str| text.matches(&format!("b\"{name}\" =>")).count();
    assert_eq!([arms("plain"), arms("again"), arms("peek"), arms("peek_again")], [1, 2, 1, 3]);
    assert_eq!(text.matches("not_reentrant").count(), 2);
    // Nobody overwrites what an inner call wrote.
    assert_eq!((text.matches(". save ()").count(), text.matches(". save_unless_changed ()").count()), (0, 1));
    let text =
        accepted(quote!(impl A { #[init] fn new() -> Self { A } #[view(reentrant)] fn peek(&self) -> u8 { 1 } }));
    assert!(text.contains("export_name = \"view_reentrant\"") && text.contains("export_name = \"call_reentrant\""));
    let text = accepted(quote!(impl A { #[init] fn new() -> Self { A } #[call(reentrant)] fn f(&self) {} }));
    assert!(!text.contains("export_name = \"view_reentrant\"") && text.contains("export_name = \"call_reentrant\""));
}

#[test]
fn events_are_listed() {
    let block = quote!(impl A { #[init] fn new() -> Self { A } });
    let text = expand(quote!(events(Made, other::Gone)), block.clone()).unwrap().to_string();
    assert!(text.contains("< Made as :: noema_sdk :: Event > :: TOPIC"));
    assert!(text.contains("< other :: Gone as :: noema_sdk :: Event > :: TOPIC"));
    assert!(expand(quote!(event(Made)), block).unwrap_err().to_string().contains("events(First, Second)"));
}
