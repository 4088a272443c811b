//! Run model.onnx from Rust: row, verify, bench. See README.md.

use linreg::{bench::bench, vectors::verify, Error, Model, Tensor};
use std::{env, path::Path, process::ExitCode};

const USAGE: &str = "\
usage: linreg-rust row MODEL.onnx NUMBER..
       linreg-rust verify BUNDLE
       linreg-rust bench BUNDLE BATCH [BLOCKS]
LINREG_LIBRARY names another liblinreg.so than the one beside the program; ORT_LIB names another
libonnxruntime.so than the one found when deploy/c was built.";

enum Command {
    Row(Vec<f32>),
    Verify,
    Bench { batch: u32, blocks: u32 },
}

fn main() -> ExitCode {
    let words: Vec<_> = env::args_os().skip(1).collect();
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let texts: Vec<&str> = texts.iter().map(|text| text.as_ref()).collect();
    match parse(&texts).map(|command| execute(command, Path::new(&words[1]))) {
        Some(Ok(code)) => ExitCode::from(code),
        Some(Err(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(words: &[&str]) -> Option<Command> {
    match *words {
        ["row", _, ref numbers @ ..] if !numbers.is_empty() => {
            numbers.iter().map(|text| text.parse().ok()).collect::<Option<_>>().map(Command::Row)
        }
        ["verify", _] => Some(Command::Verify),
        ["bench", _, batch] => Some(Command::Bench { batch: number(batch)?, blocks: 100 }),
        ["bench", _, batch, blocks] => Some(Command::Bench { batch: number(batch)?, blocks: number(blocks)? }),
        _ => None,
    }
}

/// A whole number from 0 to a million.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= 1_000_000)
}

fn execute(command: Command, path: &Path) -> Result<u8, Error> {
    match command {
        Command::Row(numbers) => predict(path, &numbers),
        Command::Verify => verify(&Model::open_bundle(path)?, path),
        Command::Bench { batch, blocks } => bench(&Model::open_bundle(path)?, path, batch, blocks),
    }
}

/// Print the outputs for one row of features, one number per line.
fn predict(path: &Path, numbers: &[f32]) -> Result<u8, Error> {
    let model = Model::open(path)?;
    let row = Tensor::new(&[1, numbers.len() as i64], numbers)?;
    for output in model.run(&[row])? {
        let values = output.values::<f32>().ok_or_else(|| Error::new("an output is not float32"))?;
        values.iter().for_each(|value| println!("{value}"));
    }
    Ok(0)
}
