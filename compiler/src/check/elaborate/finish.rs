//! The end of an elaboration: paths are read off the instances, what nothing uses is left out, and the model is put together.

use super::Elaborator;
use super::forward::Named;
use super::instance::join;
use crate::check::value::ValueKind;
use crate::model::{
    self, Application, Constant, ConstantValue, Experiment, Model, Primitive, Program, TokenGroup, ValueId,
};
use crate::size::Symbols;
use std::collections::BTreeMap;
use tfc_grammar::{Code, Diagnostic};

impl<'a> Elaborator<'a> {
    pub fn finish(mut self, named: Named) -> Model {
        let scales = self.named_scales();
        let mut symbols = Symbols::default();
        let mut token_axes = Vec::with_capacity(self.token_axes.len());
        for (index, axis) in self.token_axes.iter().enumerate() {
            let path = join(&self.instances.path(axis.repeat), self.names.groups[axis.group].name());
            let symbol = symbols.add_tokens(path.clone(), index);
            token_axes.push(model::TokenAxis { symbol, group: axis.group, path });
        }
        for (value, instance) in self.values.iter_mut().zip(&self.instance_of) {
            value.path = self.instances.path(*instance);
        }
        let parameters = self.parameters.into_iter().map(|parameter| model::Parameter {
            path: join(&self.instances.path(parameter.instance), &parameter.name),
            shape: parameter.shape,
            role: parameter.role,
            init: parameter.init,
            grows: parameter.grows.clone(),
            span: parameter.span,
        });
        Model {
            name: named.model.clone(),
            symbols,
            constants: constants(self.names),
            token_groups: token_groups(self.names),
            token_axes,
            inputs: self.inputs,
            parameters: parameters.collect(),
            scales,
            program: used(self.values, named),
            context: self.context,
            next_of: self.next_of,
            experiment: Experiment::default(),
        }
    }

    /// The scales by their paths; two of one path and one rule are one.
    fn named_scales(&mut self) -> Vec<model::Scale> {
        let mut scales: Vec<model::Scale> = Vec::new();
        let mut first_of: BTreeMap<String, usize> = BTreeMap::new();
        let mut index_of = Vec::with_capacity(self.scales.len());
        for scale in &self.scales {
            let path = join(&self.instances.path(scale.instance), &scale.name);
            let first = first_of.get(&path).copied();
            if let Some(first) = first.filter(|first| scales[*first].rule != scale.rule) {
                let diagnostic = Diagnostic::new(Code::EqualPaths, format!("two scales would be named `{path}`"))
                    .at(scale.span, "this one follows another rule")
                    .see(scales[first].span, "named so already")
                    .help("bind one of them to a name of its own: `NAME = …`");
                self.names.report.push(diagnostic);
            }
            index_of.push(first.unwrap_or(scales.len()));
            if first.is_none() {
                first_of.insert(path.clone(), scales.len());
                scales.push(model::Scale { path, rule: scale.rule.clone(), span: scale.span });
            }
        }
        for value in &mut self.values {
            if let Primitive::Scale(scale) = &mut value.primitive {
                *scale = index_of[*scale];
            }
        }
        scales
    }
}

/// Every `let` of the experiment, those of the standard library aside.
fn constants(names: &crate::check::Names) -> Vec<Constant> {
    let constant = |index: usize| {
        let name = &names.constants[index].name;
        let value = match names.constant(index).kind {
            ValueKind::Number { value, .. } => ConstantValue::Number(value),
            ValueKind::Word(word) => ConstantValue::Name(word),
            ValueKind::Flag(flag) => ConstantValue::Flag(flag),
            ValueKind::Text(_)
            | ValueKind::Call { .. }
            | ValueKind::Tuple(_)
            | ValueKind::Comparison { .. }
            | ValueKind::Error => return None,
        };
        Some(Constant { name: name.text.clone(), value, span: name.span })
    };
    (0..names.constants.len())
        .filter(|index| names.constants[*index].name.span.file != names.std)
        .filter_map(constant)
        .collect()
}

fn token_groups(names: &crate::check::Names) -> Vec<TokenGroup> {
    let group = |group: &crate::check::names::Group| TokenGroup {
        name: group.name().to_string(),
        derived: group.is_derived(),
        span: group.definition.name.span,
    };
    names.groups.iter().map(group).collect()
}

/// The program without the values that lead to no name.
fn used(values: Vec<Application>, named: Named) -> Program {
    let mut is_used = vec![false; values.len()];
    named.names.iter().for_each(|(_, id)| is_used[id.0 as usize] = true);
    // Operands stand before what uses them.
    for (index, value) in values.iter().enumerate().rev() {
        if is_used[index] {
            value.operands.iter().for_each(|operand| is_used[operand.0 as usize] = true);
        }
    }
    let mut kept = 0u32;
    let new_ids: Vec<ValueId> = is_used
        .iter()
        .map(|used| {
            kept += u32::from(*used);
            ValueId(kept.saturating_sub(1))
        })
        .collect();
    let renumbered = |id: ValueId| new_ids[id.0 as usize];
    let values = values.into_iter().zip(&is_used).filter(|(_, used)| **used).map(|(mut value, _)| {
        value.operands.iter_mut().for_each(|operand| *operand = renumbered(*operand));
        value
    });
    let all = |names: Vec<(String, ValueId)>| names.into_iter().map(|(name, id)| (name, renumbered(id))).collect();
    Program {
        values: values.collect(),
        names: all(named.names),
        loss: named.loss.map(renumbered),
        metrics: all(named.metrics),
    }
}
