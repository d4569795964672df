; What the device computes in one instruction, of x[i], y[i]: nine results of 32 bits each.
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @arithmetic(ptr addrspace(1) %x, ptr addrspace(1) %y, ptr addrspace(1) %z) {
  %t32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %t = zext i32 %t32 to i64
  %px = getelementptr float, ptr addrspace(1) %x, i64 %t
  %py = getelementptr float, ptr addrspace(1) %y, i64 %t
  %a = load float, ptr addrspace(1) %px
  %b = load float, ptr addrspace(1) %py
  %at = mul i64 %t, 9
  %p0 = getelementptr i32, ptr addrspace(1) %z, i64 %at
  %p1 = getelementptr i32, ptr addrspace(1) %p0, i64 1
  %p2 = getelementptr i32, ptr addrspace(1) %p0, i64 2
  %p3 = getelementptr i32, ptr addrspace(1) %p0, i64 3
  %p4 = getelementptr i32, ptr addrspace(1) %p0, i64 4
  %p5 = getelementptr i32, ptr addrspace(1) %p0, i64 5
  %p6 = getelementptr i32, ptr addrspace(1) %p0, i64 6
  %p7 = getelementptr i32, ptr addrspace(1) %p0, i64 7
  %p8 = getelementptr i32, ptr addrspace(1) %p0, i64 8
  %both = call <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn(float %a, float %b)
  store <2 x bfloat> %both, ptr addrspace(1) %p0, align 4
  ; The same with LLVM's own conversion, lower half first.
  %v0 = insertelement <2 x float> poison, float %b, i64 0
  %v = insertelement <2 x float> %v0, float %a, i64 1
  %short = fptrunc <2 x float> %v to <2 x bfloat>
  store <2 x bfloat> %short, ptr addrspace(1) %p1, align 4
  %one = fptrunc float %a to bfloat
  %wide = fpext bfloat %one to float
  store float %wide, ptr addrspace(1) %p2
  %away = call i32 @llvm.nvvm.f2tf32.rna(float %a)
  store i32 %away, ptr addrspace(1) %p3
  %even = call i32 @llvm.nvvm.f2tf32.rn(float %a)
  store i32 %even, ptr addrspace(1) %p4
  %power = call float @llvm.nvvm.ex2.approx.f(float %a)
  store float %power, ptr addrspace(1) %p5
  %inverse = call float @llvm.nvvm.rcp.approx.ftz.f(float %a)
  store float %inverse, ptr addrspace(1) %p6
  %size = call float @llvm.nvvm.fabs.f(float %a)
  %root = call float @llvm.nvvm.sqrt.rn.f(float %size)
  store float %root, ptr addrspace(1) %p7
  %sum = call float @llvm.nvvm.fma.rn.f(float %a, float %b, float 1.0)
  store float %sum, ptr addrspace(1) %p8
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn(float, float)
declare i32 @llvm.nvvm.f2tf32.rna(float)
declare i32 @llvm.nvvm.f2tf32.rn(float)
declare float @llvm.nvvm.ex2.approx.f(float)
declare float @llvm.nvvm.rcp.approx.ftz.f(float)
declare float @llvm.nvvm.fabs.f(float)
declare float @llvm.nvvm.sqrt.rn.f(float)
declare float @llvm.nvvm.fma.rn.f(float, float, float)
