//! The language's reference has a section for every layer of the standard library, with its signature.

use crate::page::{read, root};
use tfc_grammar::ast::ItemKind;
use tfc_grammar::{Sources, parse};

#[test]
fn every_layer_of_the_standard_library_is_documented() {
    let page = read(&root().join("docs/language.md"));
    let mut sources = Sources::default();
    let std = sources.add("std.tfm", read(&root().join("compiler/src/std.tfm")));
    let (tree, _) = parse(&sources, std);
    let text = sources.text(std);
    let layers = tree.items.statements.iter().filter_map(|item| match &item.kind {
        ItemKind::Layer(layer) => Some(layer),
        _ => None,
    });
    for layer in layers {
        let signature = text[layer.name.span.start..layer.body.span.start].trim();
        let section = format!("### {}\n", layer.name.text);
        assert!(page.contains(&section), "docs/language.md has no section for `{}`", layer.name.text);
        assert!(
            page.contains(&format!("```text\n{signature}\n```\n")),
            "docs/language.md lacks the signature\n{signature}"
        );
    }
}
