//! The functions of `deploy/c/linreg.h`.

use std::os::raw::{c_char, c_int, c_void};

pub const ERROR_BYTES: usize = 512;
pub const MAX_RANK: usize = 8;

#[repr(C)]
pub struct Tensor {
    pub element_type: i32,
    pub rank: usize,
    pub dims: [i64; MAX_RANK],
    pub count: usize,
    pub bytes: usize,
    pub data: *mut c_void,
}

impl Tensor {
    pub fn empty() -> Self {
        Tensor { element_type: 0, rank: 0, dims: [0; MAX_RANK], count: 0, bytes: 0, data: std::ptr::null_mut() }
    }
}

#[repr(C)]
pub struct Model {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Call {
    _opaque: [u8; 0],
}

pub type Run = unsafe extern "C" fn(*mut c_void, *const Tensor, usize, *mut Tensor, usize, error: *mut c_char) -> bool;
pub type Block = unsafe extern "C" fn(*mut c_void, calls: i64) -> i64;

extern "C" {
    pub fn linreg_open(path: *const c_char, error: *mut c_char) -> *mut Model;
    pub fn linreg_open_bundle(bundle: *const c_char, error: *mut c_char) -> *mut Model;
    pub fn linreg_close(model: *mut Model);
    pub fn linreg_version(model: *const Model) -> *const c_char;
    pub fn linreg_output_count(model: *const Model) -> usize;
    pub fn linreg_run(
        model: *const Model,
        inputs: *const Tensor,
        input_count: usize,
        outputs: *mut Tensor,
        output_count: usize,
        error: *mut c_char,
    ) -> bool;
    pub fn linreg_allocate_tensor(
        tensor: *mut Tensor,
        element_type: i32,
        rank: usize,
        dims: *const i64,
        error: *mut c_char,
    ) -> bool;
    pub fn linreg_free_tensor(tensor: *mut Tensor);
    pub fn linreg_verify(runtime: *const c_char, bundle: *const c_char, run: Run, context: *mut c_void) -> c_int;
    pub fn linreg_bind(model: *const Model, bundle: *const c_char, batch: i64, error: *mut c_char) -> *mut Call;
    pub fn linreg_call(call: *mut Call) -> bool;
    pub fn linreg_unbind(call: *mut Call);
    pub fn linreg_bench(
        runtime: *const c_char,
        version: *const c_char,
        batch: i64,
        blocks: usize,
        block: Block,
        context: *mut c_void,
    ) -> c_int;
}
