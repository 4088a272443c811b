//! model.onnx on ONNX Runtime, on one thread of the CPU.

use crate::{error::Error, native, tensor::Tensor};
use std::{
    ffi::{CStr, CString, OsStr},
    marker::PhantomData,
    os::raw::c_char,
    os::unix::ffi::OsStrExt,
    path::Path,
};

pub struct Model(*mut native::Model);

// ONNX Runtime's sessions may run in several threads at once.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

/// A call on inputs that are bound already.
pub struct Call<'model> {
    handle: *mut native::Call,
    model: PhantomData<&'model Model>,
}

impl Model {
    pub fn open(path: &Path) -> Result<Model, Error> {
        open(path, native::linreg_open)
    }

    /// Open model.onnx of a bundle; a link in its place is refused.
    pub fn open_bundle(bundle: &Path) -> Result<Model, Error> {
        open(bundle, native::linreg_open_bundle)
    }

    /// The version of ONNX Runtime.
    pub fn version(&self) -> &CStr {
        unsafe { CStr::from_ptr(native::linreg_version(self.0)) }
    }

    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let count = unsafe { native::linreg_output_count(self.0) };
        let mut outputs: Vec<Tensor> = (0..count).map(|_| native::Tensor::empty().into()).collect();
        Error::check(|error| unsafe {
            let (from, to) = (inputs.as_ptr() as *const native::Tensor, outputs.as_mut_ptr() as *mut native::Tensor);
            native::linreg_run(self.0, from, inputs.len(), to, count, error)
        })?;
        Ok(outputs)
    }

    /// Bind the inputs of the first test vectors of a bundle that have this batch size.
    pub fn bind(&self, bundle: &Path, batch: i64) -> Result<Call<'_>, Error> {
        let bundle = c_text(bundle)?;
        let mut handle = std::ptr::null_mut();
        Error::check(|error| unsafe {
            handle = native::linreg_bind(self.0, bundle.as_ptr(), batch, error);
            !handle.is_null()
        })?;
        Ok(Call { handle, model: PhantomData })
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { native::linreg_close(self.0) }
    }
}

impl Call<'_> {
    /// Whether the call succeeded.
    pub fn run(&mut self) -> bool {
        unsafe { native::linreg_call(self.handle) }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        unsafe { native::linreg_unbind(self.handle) }
    }
}

type Open = unsafe fn(*const c_char, *mut c_char) -> *mut native::Model;

fn open(path: &Path, function: Open) -> Result<Model, Error> {
    native::load()?;
    let path = c_text(path)?;
    let mut handle = std::ptr::null_mut();
    Error::check(|error| unsafe {
        handle = function(path.as_ptr(), error);
        !handle.is_null()
    })?;
    Ok(Model(handle))
}

pub(crate) fn c_text(text: impl AsRef<OsStr>) -> Result<CString, Error> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| Error::new("the path has a zero byte"))
}
