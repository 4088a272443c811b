//! What liblinreg says of a failure: one line.

use crate::native::ERROR_BYTES;
use std::{ffi::CStr, fmt, os::raw::c_char};

#[derive(Debug)]
pub struct Error(String);

impl Error {
    pub fn new(line: impl Into<String>) -> Error {
        Error(line.into())
    }

    /// Call a function that fills a buffer and returns false if it fails.
    pub(crate) fn check(function: impl FnOnce(*mut c_char) -> bool) -> Result<(), Error> {
        let mut buffer: [c_char; ERROR_BYTES] = [0; ERROR_BYTES];
        if function(buffer.as_mut_ptr()) {
            return Ok(());
        }
        Err(Error(unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()))
    }

    /// Write the line into a buffer of C.
    ///
    /// # Safety
    /// `buffer` must have ERROR_BYTES.
    pub(crate) unsafe fn write_to(&self, buffer: *mut c_char) {
        let length = self.0.len().min(ERROR_BYTES - 1);
        std::ptr::copy_nonoverlapping(self.0.as_ptr() as *const c_char, buffer, length);
        *buffer.add(length) = 0;
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
