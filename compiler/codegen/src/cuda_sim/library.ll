; What NVIDIA's devices compute in one instruction, on the host.

define i32 @cuda_sim.read.ptx.sreg.warpsize() alwaysinline {
  ret i32 32
}

; Rounded to the nearest, ties to even. The host's own conversion, where it has one, makes subnormal numbers zeros.
define bfloat @cuda_sim.f2bf16.rn(float %x) alwaysinline {
  %bits = bitcast float %x to i32
  %last = lshr i32 %bits, 16
  %odd = and i32 %last, 1
  %half = add i32 %odd, 32767
  %sum = add i32 %bits, %half
  %upper = lshr i32 %sum, 16
  %nan = fcmp uno float %x, 0.0
  %rounded = select i1 %nan, i32 32767, i32 %upper
  %short = trunc i32 %rounded to i16
  %y = bitcast i16 %short to bfloat
  ret bfloat %y
}

; The first operand is the upper half.
define <2 x bfloat> @cuda_sim.ff2bf16x2.rn(float %upper, float %lower) alwaysinline {
  %l = call bfloat @cuda_sim.f2bf16.rn(float %lower)
  %u = call bfloat @cuda_sim.f2bf16.rn(float %upper)
  %one = insertelement <2 x bfloat> poison, bfloat %l, i64 0
  %both = insertelement <2 x bfloat> %one, bfloat %u, i64 1
  ret <2 x bfloat> %both
}

; To the 19 bits of tf32: to the nearest, ties away from zero.
define i32 @cuda_sim.f2tf32.rna(float %x) alwaysinline {
  %bits = bitcast float %x to i32
  %sum = add i32 %bits, 4096
  %upper = and i32 %sum, -8192
  %nan = fcmp uno float %x, 0.0
  %y = select i1 %nan, i32 2147475456, i32 %upper
  ret i32 %y
}

; To the nearest, ties to even.
define i32 @cuda_sim.f2tf32.rn(float %x) alwaysinline {
  %bits = bitcast float %x to i32
  %last = lshr i32 %bits, 13
  %odd = and i32 %last, 1
  %half = add i32 %odd, 4095
  %sum = add i32 %bits, %half
  %upper = and i32 %sum, -8192
  %nan = fcmp uno float %x, 0.0
  %y = select i1 %nan, i32 2147475456, i32 %upper
  ret i32 %y
}

define float @cuda_sim.ex2.approx.f32(float %x) alwaysinline {
  %y = call float @llvm.exp2.f32(float %x)
  ret float %y
}

define float @cuda_sim.ex2.approx.ftz.f32(float %x) alwaysinline {
  %y = call float @llvm.exp2.f32(float %x)
  ret float %y
}

define float @cuda_sim.rcp.approx.ftz.f(float %x) alwaysinline {
  %y = fdiv float 1.0, %x
  ret float %y
}

define float @cuda_sim.rcp.rn.f(float %x) alwaysinline {
  %y = fdiv float 1.0, %x
  ret float %y
}

define float @cuda_sim.div.approx.f(float %x, float %y) alwaysinline {
  %z = fdiv float %x, %y
  ret float %z
}

define float @cuda_sim.sqrt.approx.f(float %x) alwaysinline {
  %y = call float @llvm.sqrt.f32(float %x)
  ret float %y
}

define float @cuda_sim.sqrt.rn.f(float %x) alwaysinline {
  %y = call float @llvm.sqrt.f32(float %x)
  ret float %y
}

define float @cuda_sim.rsqrt.approx.f(float %x) alwaysinline {
  %root = call float @llvm.sqrt.f32(float %x)
  %y = fdiv float 1.0, %root
  ret float %y
}

define float @cuda_sim.fma.rn.f(float %x, float %y, float %z) alwaysinline {
  %r = call float @llvm.fma.f32(float %x, float %y, float %z)
  ret float %r
}

define float @cuda_sim.fabs.f32(float %x) alwaysinline {
  %y = call float @llvm.fabs.f32(float %x)
  ret float %y
}

declare float @llvm.exp2.f32(float)
declare float @llvm.fabs.f32(float)
declare float @llvm.fma.f32(float, float, float)
declare float @llvm.sqrt.f32(float)
