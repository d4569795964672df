; c[16, 8] = a[16, 8] · b[8, 8] by one warp in tf32, fragments straight from memory.
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @tf32(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c) {
  %lane32 = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %lane = zext i32 %lane32 to i64
  %group = lshr i64 %lane, 2
  %member = and i64 %lane, 3
  %line = shl i64 %group, 3
  %a_at = add i64 %line, %member
  %p0 = getelementptr float, ptr addrspace(1) %a, i64 %a_at
  %p1 = getelementptr float, ptr addrspace(1) %p0, i64 64
  %p2 = getelementptr float, ptr addrspace(1) %p0, i64 4
  %p3 = getelementptr float, ptr addrspace(1) %p0, i64 68
  %x0 = load float, ptr addrspace(1) %p0
  %x1 = load float, ptr addrspace(1) %p1
  %x2 = load float, ptr addrspace(1) %p2
  %x3 = load float, ptr addrspace(1) %p3
  %b_line = shl i64 %member, 3
  %b_at = add i64 %b_line, %group
  %q0 = getelementptr float, ptr addrspace(1) %b, i64 %b_at
  %q1 = getelementptr float, ptr addrspace(1) %q0, i64 32
  %y0 = load float, ptr addrspace(1) %q0
  %y1 = load float, ptr addrspace(1) %q1
  %a0 = call i32 @llvm.nvvm.f2tf32.rna(float %x0)
  %a1 = call i32 @llvm.nvvm.f2tf32.rna(float %x1)
  %a2 = call i32 @llvm.nvvm.f2tf32.rna(float %x2)
  %a3 = call i32 @llvm.nvvm.f2tf32.rna(float %x3)
  %b0 = call i32 @llvm.nvvm.f2tf32.rna(float %y0)
  %b1 = call i32 @llvm.nvvm.f2tf32.rna(float %y1)
  %d = call { float, float, float, float } @llvm.nvvm.mma.m16n8k8.row.col.tf32(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float 0.0, float 0.0, float 0.0, float 0.0)
  %d0 = extractvalue { float, float, float, float } %d, 0
  %d1 = extractvalue { float, float, float, float } %d, 1
  %d2 = extractvalue { float, float, float, float } %d, 2
  %d3 = extractvalue { float, float, float, float } %d, 3
  %c_column = shl i64 %member, 1
  %c_at = add i64 %line, %c_column
  %r0 = getelementptr float, ptr addrspace(1) %c, i64 %c_at
  %r1 = getelementptr float, ptr addrspace(1) %r0, i64 1
  %r2 = getelementptr float, ptr addrspace(1) %r0, i64 64
  %r3 = getelementptr float, ptr addrspace(1) %r0, i64 65
  store float %d0, ptr addrspace(1) %r0
  store float %d1, ptr addrspace(1) %r1
  store float %d2, ptr addrspace(1) %r2
  store float %d3, ptr addrspace(1) %r3
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare i32 @llvm.nvvm.f2tf32.rna(float)
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k8.row.col.tf32(i32, i32, i32, i32, i32, i32, float, float, float, float)
