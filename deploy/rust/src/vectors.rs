//! The test vectors of a bundle.

use crate::{error::Error, model::c_text, model::Model, native, tensor::Tensor};
use std::{
    os::raw::{c_char, c_void},
    path::Path,
    slice,
};

/// Run all test vectors of a bundle, print the verdict, and return the exit code.
pub fn verify(model: &Model, bundle: &Path) -> Result<u8, Error> {
    let (runtime, bundle) = (c_text("rust")?, c_text(bundle)?);
    let context = model as *const Model as *mut c_void;
    Ok(unsafe { native::linreg_verify(runtime.as_ptr(), bundle.as_ptr(), run, context) } as u8)
}

/// What `linreg_verify` calls with the inputs of one case; the context is the model.
unsafe extern "C" fn run(
    context: *mut c_void,
    inputs: *const native::Tensor,
    input_count: usize,
    outputs: *mut native::Tensor,
    output_count: usize,
    error: *mut c_char,
) -> bool {
    let (model, inputs) = (&*(context as *const Model), slice::from_raw_parts(inputs, input_count));
    match answers(model, inputs, output_count) {
        Ok(answers) => {
            for (index, answer) in answers.into_iter().enumerate() {
                *outputs.add(index) = answer.into_native();
            }
            true
        }
        Err(failure) => {
            failure.write_to(error);
            false
        }
    }
}

fn answers(model: &Model, inputs: &[native::Tensor], output_count: usize) -> Result<Vec<Tensor>, Error> {
    let inputs: Result<Vec<Tensor>, Error> = inputs.iter().map(copy).collect();
    let answers = model.run(&inputs?)?;
    if answers.len() != output_count {
        return Err(Error::new(format!("has {output_count} outputs, the model {}", answers.len())));
    }
    Ok(answers)
}

/// A copy of a tensor of C's.
fn copy(tensor: &native::Tensor) -> Result<Tensor, Error> {
    let mut copied = Tensor::zeros(tensor.element_type, &tensor.dims[..tensor.rank])?;
    copied.bytes_mut().copy_from_slice(unsafe { slice::from_raw_parts(tensor.data as *const u8, tensor.bytes) });
    Ok(copied)
}
