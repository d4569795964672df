//! `tfc generate`: continues a text, token by token, as they come.

use crate::arguments::Generate;
use crate::checkpoint::Opened;
use crate::console::Console;
use crate::stop::Outcome;
use tfc_compiler::compiled::Entry;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::generate::{Request, Sampling, end_of_document, generate_text};

pub fn run(command: &Generate, console: &Console) -> Outcome {
    let mut opened =
        Opened::new(&command.checkpoint, &[Entry::Decode], &command.device, &Disabled::default(), console)?;
    let tokenizer = opened.tokenizer()?;
    let stage = &opened.compiled.model.experiment.stages[opened.state.stage.index];
    let end = match &stage.data {
        Some(data) => end_of_document(data, &tokenizer)?,
        None => None,
    };
    let request = Request {
        prompt: command.prompt.as_str(),
        tokens: command.tokens,
        sampling: Sampling {
            temperature: command.temperature,
            top_k: command.top_k,
            top_p: command.top_p,
            seed: command.seed,
            ..Sampling::GREEDY
        },
        end,
    };
    // The prompt is part of the text, but a text that cannot be continued is not begun.
    let mut opening = Some(command.prompt.as_str());
    let mut write = |text: &str| {
        opening.take().map_or(Ok(()), |prompt| console.print(prompt))?;
        console.print(text)
    };
    let stop = generate_text(&opened.compiled, opened.session.as_mut(), &tokenizer, request, &mut write);
    match (stop, opening) {
        (Ok(_), rest) => console.print(&format!("{}\n", rest.unwrap_or_default()))?,
        (Err(failure), Some(_)) => return Err(failure.into()),
        (Err(failure), None) => {
            console.print("\n")?;
            return Err(failure.into());
        }
    }
    Ok(())
}
