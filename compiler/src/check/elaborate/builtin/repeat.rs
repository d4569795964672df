//! `repeat(n, layer, x)`: n instances of a layer, each taking what the one before gives.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::call::{Naming, Site};
use crate::check::elaborate::expression::Slot;
use crate::check::elaborate::frame::Frame;
use crate::check::elaborate::value::Value;
use crate::check::names::ScopeId;

impl<'a> Elaborator<'a> {
    pub fn repeat(&mut self, args: &Arguments<'a>) -> Option<Value<'a>> {
        let count = self.whole(args, 0)?;
        let (layer, span) = &args.values[1][0];
        let Value::Layer(closure) = layer else {
            self.wrong_kind(layer, *span, "a layer");
            return None;
        };
        // What waits in the closure was written elsewhere and sees the names of that place.
        let frame = Frame::new(ScopeId::STD);
        let (mut value, mut place) = args.values[2][0].clone();
        let outer = self.repeats;
        self.repeats *= count as f64;
        for index in 0..count {
            let naming = Naming::Repeat(index);
            let site = Site { first: Some((value, place)), args: &[], frame: &frame, span: args.span, naming };
            value = self.call(closure, site, &mut Slot::default());
            place = args.span;
            if matches!(value, Value::Error) {
                break;
            }
        }
        self.repeats = outer;
        Some(value)
    }
}
