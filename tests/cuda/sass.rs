//! Machine code of NVIDIA's GPUs as its disassembler prints it: which instructions there are, and how loops read memory.

use std::ops::Range;

/// A kernel.
pub struct Code<'a> {
    /// A line each.
    instructions: Vec<&'a str>,
    /// The instructions of each loop.
    loops: Vec<Range<usize>>,
}

/// Innermost loops that read global memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loops {
    /// In which at least every other read is of several numbers: beside rows of a matrix there may be a number for each of them.
    pub vector: usize,
    /// The others.
    pub scalar: usize,
}

pub fn parse(text: &str) -> Code<'_> {
    let mut code = Code { instructions: Vec::new(), loops: Vec::new() };
    let mut labels: Vec<(&str, usize)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(label) = line.strip_suffix(':') {
            labels.push((label, code.instructions.len()));
        } else if let Some((_, instruction)) = line.strip_prefix("/*").and_then(|rest| rest.split_once("*/")) {
            let end = code.instructions.len();
            let back = labels.iter().find(|(label, _)| instruction.contains(&format!("`({label})")));
            code.instructions.push(instruction.trim());
            code.loops.extend(back.map(|(_, begin)| *begin..end));
        }
    }
    code
}

impl<'a> Code<'a> {
    /// What each instruction does, without whether it does and to what: `LDG.E.128.CONSTANT`.
    pub fn operations(&self) -> impl Iterator<Item = &'a str> {
        of(&self.instructions)
    }

    /// Of those that multiply on tensor cores, if any does, else of all.
    pub fn loops(&self) -> Loops {
        let inner = |outer: &&Range<usize>| {
            !self.loops.iter().any(|inner| inner != *outer && outer.start <= inner.start && inner.end <= outer.end)
        };
        let bodies = self.loops.iter().filter(inner).map(|range| &self.instructions[range.clone()]);
        let reading: Vec<&[&str]> = bodies.filter(|body| of(body).any(is_read)).collect();
        let multiplies = |body: &&[&str]| of(body).any(is_tensor_product);
        let any_multiplies = reading.iter().any(&multiplies);
        let main = reading.into_iter().filter(|body| multiplies(body) || !any_multiplies);
        let is_vector = |body: &&[&str]| {
            let reads = of(body).filter(|operation| is_read(operation));
            let (several, one): (Vec<&str>, Vec<&str>) = reads.partition(|read| reads_several(read));
            several.len() >= one.len()
        };
        let (vector, scalar): (Vec<&[&str]>, Vec<&[&str]>) = main.partition(is_vector);
        Loops { vector: vector.len(), scalar: scalar.len() }
    }
}

fn of<'a>(instructions: &[&'a str]) -> impl Iterator<Item = &'a str> {
    instructions.iter().filter_map(|instruction| instruction.split_whitespace().find(|word| !word.starts_with('@')))
}

pub fn is_tensor_product(operation: &str) -> bool {
    operation.starts_with("HMMA.")
}

/// From global memory, to registers or around them.
fn is_read(operation: &str) -> bool {
    operation.starts_with("LDG.") || operation.starts_with("LDGSTS.")
}

fn reads_several(operation: &str) -> bool {
    operation.split('.').any(|part| part == "64") || is_wide(operation)
}

/// Moves sixteen bytes or more from or to global memory.
pub fn is_wide(operation: &str) -> bool {
    let moves = is_read(operation) || operation.starts_with("STG.");
    moves && operation.split('.').any(|part| part == "128" || part == "256")
}

#[test]
fn loops_are_those_that_multiply_if_any_does() {
    let loops = |text: &str| parse(text).loops();
    let copies = ".L_x_0:\n/*0000*/ @!P0 LDG.E.128.CONSTANT R4, [R2.64] ;\n/*0010*/ @P1 BRA `(.L_x_0) ;\n";
    let ones = ".L_x_1:\n/*0020*/ LDG.E R4, [R2.64] ;\n/*0030*/ LDG.E.64 R4, [R2.64] ;\n/*0040*/ LDG.E.U16 R4, [R2.64] ;\n/*0050*/ BRA.U UP0, `(.L_x_1) ;\n";
    let multiplies = ".L_x_2:\n/*0060*/ LDGSTS.E.BYPASS.128 [R4], [R2.64] ;\n/*0070*/ HMMA.1688.F32.TF32 R4, R4, R8, R4 ;\n/*0080*/ BRA `(.L_x_2) ;\n";
    assert_eq!(loops(copies), Loops { vector: 1, scalar: 0 });
    assert_eq!(loops(&[copies, ones].concat()), Loops { vector: 1, scalar: 1 });
    assert_eq!(loops(&[copies, ones, multiplies].concat()), Loops { vector: 1, scalar: 0 });
    // A loop around another one is none of them, nor is a jump ahead.
    assert_eq!(loops(&format!(".L_x_3:\n{copies}/*0090*/ BRA `(.L_x_3) ;\n")), Loops { vector: 1, scalar: 0 });
    assert_eq!(loops("/*0000*/ BRA `(.L_x_0) ;\n/*0010*/ LDG.E R4, [R2.64] ;\n.L_x_0:\n"), Loops::default());
}
