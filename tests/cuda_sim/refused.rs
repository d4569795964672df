//! What the simulator does not know is refused by name, not run as something else.

use super::*;

fn refusal(ir: &str) -> String {
    let known = cuda_sim::simulation(ir.as_bytes(), true).map(|_| ());
    known.expect_err("it is not known").0
}

fn of_body(declarations: &str, body: &str) -> String {
    refusal(&format!(
        "target triple = \"nvptx64-nvidia-cuda\"\n{declarations}
define ptx_kernel void @k(ptr addrspace(1) %p) {{\n{body}\n  ret void\n}}"
    ))
}

#[test]
fn by_name() {
    let unknown = |what: &str| format!("the simulator of CUDA does not know {what}, in `k`");
    let call = |name: &str| of_body(&format!("declare void @{name}()"), &format!("  call void @{name}()"));
    assert_eq!(call("llvm.nvvm.membar.gl"), unknown("`llvm.nvvm.membar.gl`"));
    assert_eq!(call("printf"), unknown("`printf`"));
    assert_eq!(of_body("", "  %x = atomicrmw add ptr addrspace(1) %p, i32 1 seq_cst"), unknown("atomic operations"));
    assert_eq!(of_body("", "  %x = load atomic i32, ptr addrspace(1) %p seq_cst, align 4"), unknown("atomic accesses"));
    assert_eq!(of_body("", "  fence seq_cst"), unknown("atomic operations"));
    let sum = "  %x = load bfloat, ptr addrspace(1) %p\n  %y = fadd bfloat %x, %x";
    assert_eq!(of_body("", sum), unknown("arithmetic in bf16"));
    assert_eq!(of_body("", "  call void asm sideeffect \"\", \"\"()"), unknown("inline assembly and indirect calls"));
    let sine = "  %s = call float @llvm.sin.f32(float 1.0)";
    assert_eq!(of_body("declare float @llvm.sin.f32(float)", sine), unknown("`llvm.sin.f32`"));
}

#[test]
fn memory_of_its_own() {
    let refused = of_body("@table = addrspace(1) constant [2 x float] zeroinitializer", "");
    assert_eq!(refused, "a kernel reaches its arguments and shared memory only, not `@table`");
}

#[test]
fn what_is_no_ir() {
    assert!(refusal("kernel").starts_with("this is no LLVM IR: "));
}
