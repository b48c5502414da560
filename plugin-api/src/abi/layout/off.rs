use std::ffi::c_void;

use super::Layout;

/// What a plugin puts into [`Descriptor::layout`](crate::abi::Descriptor::layout): without the
/// feature `layout-check`, nothing.
#[must_use]
pub const fn layout() -> *const c_void {
    std::ptr::null()
}

/// Compares a plugin's types of the boundary with those of this program: without the
/// feature `layout-check`, not at all.
///
/// # Safety
///
/// As with the feature.
///
/// # Errors
///
/// None without the feature.
pub unsafe fn check_layout(_theirs: *const c_void) -> Result<Layout, String> {
    Ok(Layout::NotDescribed)
}
