//! A tensor whose memory is liblinreg's, so that a call copies nothing.

use crate::{error::Error, native};
use std::{mem, os::raw::c_char, slice};

/// A Rust type that the elements of a tensor may have, and ONNX's number for it.
///
/// # Safety
/// Every pattern of bits of that size must be a value of the type.
pub unsafe trait Element: Copy {
    const TYPE: i32;
}

unsafe impl Element for f32 {
    const TYPE: i32 = 1;
}
unsafe impl Element for i32 {
    const TYPE: i32 = 6;
}
unsafe impl Element for i64 {
    const TYPE: i32 = 7;
}
unsafe impl Element for f64 {
    const TYPE: i32 = 11;
}

#[repr(transparent)]
pub struct Tensor(native::Tensor);

impl Tensor {
    /// Copy values, row after row, into a new tensor.
    pub fn new<T: Element>(shape: &[i64], values: &[T]) -> Result<Tensor, Error> {
        let mut tensor = Tensor::zeros(T::TYPE, shape)?;
        if values.len() != tensor.0.count {
            return Err(Error::new(format!("got {} values for the shape {shape:?}", values.len())));
        }
        tensor.bytes_mut().copy_from_slice(bytes_of(values));
        Ok(tensor)
    }

    /// A tensor of zeros; `element_type` is ONNX's number.
    pub fn zeros(element_type: i32, shape: &[i64]) -> Result<Tensor, Error> {
        native::load()?;
        let mut tensor = Tensor(native::Tensor::empty());
        Error::check(|error: *mut c_char| unsafe {
            native::linreg_allocate_tensor(&mut tensor.0, element_type, shape.len(), shape.as_ptr(), error)
        })?;
        Ok(tensor)
    }

    pub fn element_type(&self) -> i32 {
        self.0.element_type
    }

    pub fn shape(&self) -> &[i64] {
        &self.0.dims[..self.0.rank]
    }

    /// The elements, row after row; `None` if they are of another type.
    pub fn values<T: Element>(&self) -> Option<&[T]> {
        let same = self.0.element_type == T::TYPE;
        same.then(|| unsafe { slice::from_raw_parts(self.0.data as *const T, self.0.count) })
    }

    pub fn bytes(&self) -> &[u8] {
        unsafe { slice::from_raw_parts(self.0.data as *const u8, self.0.bytes) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        unsafe { slice::from_raw_parts_mut(self.0.data as *mut u8, self.0.bytes) }
    }

    /// Give the memory to C, which frees it.
    pub(crate) fn into_native(mut self) -> native::Tensor {
        mem::replace(&mut self.0, native::Tensor::empty())
    }
}

impl From<native::Tensor> for Tensor {
    fn from(tensor: native::Tensor) -> Tensor {
        Tensor(tensor)
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        unsafe { native::linreg_free_tensor(&mut self.0) }
    }
}

fn bytes_of<T: Element>(values: &[T]) -> &[u8] {
    unsafe { slice::from_raw_parts(values.as_ptr() as *const u8, mem::size_of_val(values)) }
}
