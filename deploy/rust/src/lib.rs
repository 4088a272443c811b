//! model.onnx on ONNX Runtime, through liblinreg.so of `deploy/c`.

pub mod bench;
mod error;
mod model;
mod native;
mod tensor;
pub mod vectors;

pub use error::Error;
pub use model::{Call, Model};
pub use tensor::{Element, Tensor};
