//! The names of what the grammar expected.

use crate::parse::Rule;

/// What could have stood there, each once; `separated` tells whether a line has ended already.
pub fn names(rules: &[Rule], separated: bool) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    let after_expression = rules.iter().any(|rule| matches!(rule, Rule::operator | Rule::pipe));
    for rule in rules {
        let names_of_rule: &[&str] = match rule {
            Rule::EOI if rules.contains(&Rule::item) => &[],
            Rule::close | Rule::EOI if !separated => &["a new line"],
            Rule::colon | Rule::open_paren if after_expression => &[],
            Rule::open_bracket if rules.len() > 1 => &[],
            rule => description(*rule),
        };
        for name in names_of_rule {
            if !names.contains(name) {
                names.push(name);
            }
        }
    }
    names
}

/// "a name, `=` or an operator"
pub fn alternatives(names: &[&str]) -> String {
    match names {
        [] => "something else".to_owned(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}

fn description(rule: Rule) -> &'static [&'static str] {
    match rule {
        Rule::item => &["`use`", "`model`", "`layer`", "`let`", "`tokens`", "`data`", "`train`", "`grow`"],
        Rule::member => &["`let`", "`tokens`", "`layer`", "`forward`", "a binding"],
        Rule::line | Rule::result => &["a binding", "a result"],
        Rule::entry | Rule::field | Rule::flag_entry => &["a field"],
        Rule::definition | Rule::name | Rule::param => &["a name"],
        Rule::pattern | Rule::part => &["a path"],
        Rule::part_number | Rule::number => &["a number"],
        Rule::text => &["a string"],
        Rule::statement_expr | Rule::expr | Rule::annotation | Rule::operand | Rule::arg | Rule::element => {
            &["an expression"]
        }
        Rule::operator | Rule::pipe => &["an operator"],
        Rule::assign => &["`=`", "`+=`", "`*=`"],
        Rule::equals => &["`=`"],
        Rule::add_assign => &["`+=`"],
        Rule::multiply_assign => &["`*=`"],
        Rule::dots => &["`..`"],
        Rule::comma => &["`,`"],
        Rule::colon => &["`:`"],
        Rule::open | Rule::members | Rule::entries | Rule::body => &["`{`"],
        Rule::close => &["`}`"],
        Rule::open_paren | Rule::params => &["`(`"],
        Rule::open_bracket => &["`[`"],
        Rule::close_paren => &["`)`"],
        Rule::close_bracket => &["`]`"],
        Rule::else_ => &["`else`"],
        Rule::EOI => &["the end of the file"],
        // What may follow an expression nearly everywhere and would only lengthen the list.
        _ => &[],
    }
}
