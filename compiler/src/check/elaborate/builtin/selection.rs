//! Choosing among the numbers of a row.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Quantity, Tensor, Value};
use crate::check::value;
use crate::graph::DType;
use crate::model::Primitive;
use crate::size::{Size, SymbolKind};
use tfc_grammar::{Code, Diagnostic, Span};

impl<'a> Elaborator<'a> {
    /// (x `[.., n]`, k) → the mask `[.., n]` of the k largest of each row. That a row has as many is checked stage by stage.
    pub fn top_k(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let (k, span) = &args.values[1][0];
        let k = self.chosen(k, *span)?;
        let Some(row) = x.axes.last() else {
            self.wrong_shapes(Code::WrongRank, "there is no row to choose from", &[&x], &[], args.span);
            return None;
        };
        if self.varies(&row.size) {
            let message =
                format!("a row of `{}` numbers differs in length from call to call", self.size_text(&row.size));
            let diagnostic = Diagnostic::new(Code::NotConstant, message)
                .at(self.place(*span), "so nobody knows whether it has as many")
                .help("`top_k` chooses along the last axis: make it parameter tokens, or one of a fixed size");
            self.report(diagnostic, args.span);
            return None;
        }
        // Named after its number: the call may stand in a library.
        Some(self.emit(Primitive::TopK { k }, &[&x], DType::F32, x.axes.clone(), *span))
    }

    /// How many are chosen: a whole number, or a size made of tokens.
    fn chosen(&mut self, k: &Value<'a>, span: Span) -> Option<Size> {
        let Value::Amount(quantity) = k else {
            self.wrong_kind(k, span, "a number of choices");
            return None;
        };
        if let Some(number) = quantity.as_constant() {
            return value::size(number, self.place(span), self.names.report).map(Size::constant);
        }
        let resolved = Quantity::of(self.resolve(&quantity.amount), quantity.origin);
        let Some(size) = resolved.as_size() else {
            let message = "how many are chosen must be a whole number, whatever the tokens are";
            let diagnostic = Diagnostic::new(Code::NotAnInteger, message)
                .at(self.place(span), "this need not be one")
                .help("let the others follow: `tokens chosen = 64` and `tokens ffn = 4 * chosen`");
            self.report(diagnostic, span);
            return None;
        };
        if self.varies(&size) {
            let message = format!("`{}` differs from call to call", self.amount_text(&quantity.amount));
            self.fail(Code::NotConstant, span, message, "how many are chosen is known before anything runs");
            return None;
        }
        Some(size)
    }

    /// Whether a size is known only when the model runs.
    fn varies(&self, size: &Size) -> bool {
        !size.all_symbols(|symbol| matches!(self.symbols.kind(symbol), SymbolKind::Tokens(_)))
    }
}
