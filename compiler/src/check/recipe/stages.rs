//! The stages, one after the other: each inherits what it does not say, and the tokens of the stage before.

use super::Recipe;
use super::block::{Block, Layers};
use super::field::{BlockKind, FieldName};
use super::overrides::Sections;
use super::tokens::Tokens;
use crate::model::{Experiment, Growth, GrowthInit, ScalePolicy, Stage};
use tfc_grammar::ast::{self, SectionKind};
use tfc_grammar::{Code, Diagnostic, Span};

/// The seed of an experiment that says none.
const SEED: u64 = 0;
/// The name of the one stage of an experiment without `grow`.
const ONLY_STAGE: &str = "train";

/// The blocks that all stages share.
struct Shared<'b> {
    data: Option<Block<'b>>,
    train: Option<Block<'b>>,
    grow: Option<Block<'b>>,
}

impl Recipe<'_> {
    pub fn experiment(&self, sections: &Sections) -> Experiment {
        let gather = |kind| {
            let (section, scope) = sections.get(&kind)?;
            Some(Block::gather(self, BlockKind::Section(kind), section.keyword, &section.block, *scope))
        };
        let shared = Shared {
            data: gather(SectionKind::Data),
            train: gather(SectionKind::Train),
            grow: gather(SectionKind::Grow),
        };
        let stages = match &shared.grow {
            Some(grow) => self.stages(&shared, grow),
            None => self.only_stage(&shared).into_iter().collect(),
        };
        let seed = self.seed(&shared.layers(None)).unwrap_or(SEED);
        Experiment { seed, stages }
    }

    fn seed(&self, layers: &Layers) -> Option<u64> {
        self.whole(&layers.value(self, FieldName::Seed)?)
    }

    /// Without a `grow` block `train` carries the end.
    fn only_stage(&self, shared: &Shared) -> Option<Stage> {
        let block = shared.train.as_ref().or(shared.data.as_ref()).map(|block| block.place);
        let model = self.names.experiment.model.map(|(model, _)| model.name.span);
        let place = block.or(model)?;
        let tokens = self.axis_tokens(&self.declared_tokens())?;
        self.scales_are_numbers(ONLY_STAGE, place, &tokens);
        Some(self.stage(ONLY_STAGE, place, &shared.layers(None), tokens, None))
    }

    fn stages(&self, shared: &Shared, grow: &Block) -> Vec<Stage> {
        if grow.stages.is_empty() {
            let diagnostic = Diagnostic::new(Code::MissingField, "`grow` has no stage").at(grow.place, "");
            self.report.push(diagnostic.help("for example `stage \"small\" { steps = 10K }`"));
        }
        let mut tokens = self.declared_tokens();
        let mut stages: Vec<Stage> = Vec::new();
        for (i, ast) in grow.stages.iter().enumerate() {
            self.is_named_once(&grow.stages[..i], ast);
            let block = Block::gather(self, BlockKind::Stage, ast.name.span, &ast.block, grow.scope);
            let after = self.set_tokens(&tokens, &block);
            stages.extend(self.one_of_many(shared, ast, &block, &tokens, &after, i == 0));
            tokens = after;
        }
        stages
    }

    fn is_named_once(&self, before: &[&ast::Stage], stage: &ast::Stage) {
        if let Some(first) = before.iter().find(|first| first.name.value == stage.name.value) {
            let message = format!("two stages are named \"{}\"", stage.name.value);
            let diagnostic = Diagnostic::new(Code::DuplicateStage, message).at(stage.name.span, "named again");
            self.report.push(diagnostic.see(first.name.span, "first named here"));
        }
    }

    /// None where its tokens are wrong.
    fn one_of_many(
        &self,
        shared: &Shared,
        ast: &ast::Stage,
        block: &Block,
        before: &Tokens,
        after: &Tokens,
        is_first: bool,
    ) -> Option<Stage> {
        let layers = shared.layers(Some(block));
        let (before, tokens) = (self.axis_tokens(before)?, self.axis_tokens(after)?);
        self.name_is_size(&ast.name, &tokens);
        // The first stage begins with the tokens that it sets.
        let before = if is_first { tokens.clone() } else { before };
        self.chooses_what_stays(block, &before, &tokens);
        let growth = self.growth_into(&layers, block, &before, &tokens).filter(|_| !is_first);
        if is_first || growth.as_ref().is_some_and(|growth| growth.scale != ScalePolicy::Keep) {
            self.scales_are_numbers(&ast.name.value, ast.name.span, &tokens);
        }
        if let Some(Growth { init: GrowthInit::Split { .. }, .. }) = &growth {
            self.splits_evenly(block, &layers, &before, &tokens);
        }
        Some(self.stage(&ast.name.value, ast.name.span, &layers, tokens, growth))
    }

    /// None where a stage goes on as the one before.
    fn growth_into(&self, layers: &Layers, block: &Block, before: &[i64], after: &[i64]) -> Option<Growth> {
        let grows = before.iter().zip(after).any(|(before, after)| after > before);
        let growth = self.growth(layers, block.place, grows)?;
        let goes_on = growth.scale == ScalePolicy::Keep && growth.keep_optimizer && growth.continue_data;
        let changes = before != after || !goes_on || growth.expect.is_some();
        changes.then_some(growth)
    }

    fn stage(&self, name: &str, place: Span, layers: &Layers, tokens: Vec<i64>, growth: Option<Growth>) -> Stage {
        self.choices_fit(name, place, &tokens);
        self.classes_fit(name, place, &tokens);
        self.widths_are_numbers(name, place, &tokens);
        let data = self.data(layers);
        if let Some(data) = &data {
            self.vocabulary_fits(layers, data, &tokens);
        }
        let from = layers.value(self, FieldName::From).and_then(|value| self.text(&value));
        let end = self.end(layers);
        let rules = self.rules(&[layers.train, layers.stage]);
        let loaded = layers.field(FieldName::From).is_some();
        let train = if loaded { None } else { self.train(layers, rules) };
        if loaded {
            self.is_not_trained(layers);
        } else if layers.train.is_some() {
            self.condition_is_evaluated(layers);
            if !self.has_length(layers) {
                self.needs_length(layers, place);
            }
        }
        let seed = self.seed(layers).unwrap_or(SEED);
        Stage { name: name.into(), tokens, growth, data, train, end, from, seed, span: place }
    }

    /// A stage that is loaded has no end of its own.
    fn is_not_trained(&self, layers: &Layers) {
        let ends = [FieldName::Steps, FieldName::Tokens, FieldName::Flops, FieldName::Until];
        let said = |name: &FieldName| layers.stage.and_then(|stage| stage.field(*name));
        if let (Some(end), Some((from, _))) = (ends.iter().find_map(said), layers.field(FieldName::From)) {
            let message = "a stage that is loaded is not trained";
            let diagnostic = Diagnostic::new(Code::MisplacedEntry, message).at(end.place, "has no effect");
            self.report.push(diagnostic.see(from.place, "loaded from here"));
        }
    }
}

impl<'b> Shared<'b> {
    fn layers<'l>(&'l self, stage: Option<&'l Block<'b>>) -> Layers<'l, 'b> {
        Layers { stage, data: self.data.as_ref(), train: self.train.as_ref(), grow: self.grow.as_ref() }
    }
}
