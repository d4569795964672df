//! What the driver must know of PTX that it does not run.

/// A kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub parameters: usize,
    /// The most threads of a block, if it says so.
    pub most_threads: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The compute capability that it is for, times ten.
    pub target: i32,
    pub entries: Vec<Entry>,
}

/// Nothing if it is no PTX.
pub fn parse(ptx: &str) -> Option<Module> {
    let target = ptx.lines().find_map(|line| line.trim().strip_prefix(".target sm_"))?;
    let target = target.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let entries = ptx.split(".entry ").skip(1).map(entry).collect::<Option<_>>()?;
    Some(Module { target, entries })
}

/// `NAME( .param …, .param … ) DIRECTIVES { … }`
fn entry(text: &str) -> Option<Entry> {
    let (name, rest) = text.split_once('(')?;
    let (parameters, rest) = rest.split_once(')')?;
    let (directives, _) = rest.split_once('{')?;
    let after =
        |directive: &str| directives.split(directive).nth(1)?.split(|c: char| !c.is_ascii_digit() && c != ' ').next();
    let number = |directive| after(directive).and_then(|number| number.trim().parse().ok());
    Some(Entry {
        name: name.trim().to_string(),
        parameters: parameters.matches(".param ").count(),
        most_threads: number(".maxntid").or(number(".reqntid")),
    })
}

#[cfg(test)]
mod tests {
    use super::{Entry, Module, parse};

    #[test]
    fn entries_are_read() {
        let ptx = ".version 8.0\n.target sm_90a\n.address_size 64\n.extern .shared .align 128 .b8 smem[];\n\
                   .visible .entry kernel_0(\n\t.param .u64 .ptr .align 16 kernel_0_param_0,\n\t.param .u64 kernel_0_param_1\n)\n\
                   .maxntid 256, 1, 1\n{\n\tret;\n}\n.visible .entry k1()\n{ ret; }\n";
        let entry = |name: &str, parameters, most_threads| Entry { name: name.into(), parameters, most_threads };
        let entries = vec![entry("kernel_0", 2, Some(256)), entry("k1", 0, None)];
        assert_eq!(parse(ptx), Some(Module { target: 90, entries }));
        assert_eq!(parse("ELF"), None);
    }
}
