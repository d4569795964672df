; c[16, 8] = a[16, k] · b[k, 8], bf16 to f32, k a multiple of 16, by one warp: two stages of cp.async, ldmatrix on swizzled shared memory, mma.sync.
; A stage holds 16 × 16 of a, whose two halves of a row are swapped in every other four rows, and 16 × 8 of b behind it.
target triple = "nvptx64-nvidia-cuda"

@stages = external addrspace(3) global [0 x i8], align 128

define ptx_kernel void @pipeline(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c, i64 %k) {
entry:
  %lane32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = zext i32 %lane32 to i64
  %tiles = lshr i64 %k, 4
  ; What this lane copies of a: half a row. Of b, if it is one of the first sixteen: a row.
  %copy_row = lshr i64 %lane, 1
  %copy_half = and i64 %lane, 1
  %copy_fours = lshr i64 %copy_row, 2
  %copy_odd = and i64 %copy_fours, 1
  %copy_swizzled = xor i64 %copy_half, %copy_odd
  %copy_line = shl i64 %copy_row, 5
  %copy_column = shl i64 %copy_swizzled, 4
  %copy_to = add i64 %copy_line, %copy_column
  %copy_b_line = shl i64 %lane, 4
  %copy_b_to = add i64 %copy_b_line, 512
  %copies_b = icmp ult i64 %lane, 16
  ; The row of a, and of b, that this lane tells to ldmatrix.
  %row = and i64 %lane, 15
  %half = lshr i64 %lane, 4
  %fours = lshr i64 %row, 2
  %odd = and i64 %fours, 1
  %swizzled = xor i64 %half, %odd
  %line = shl i64 %row, 5
  %column = shl i64 %swizzled, 4
  %a_at = add i64 %line, %column
  %b_line = shl i64 %row, 4
  %b_at = add i64 %b_line, 512
  br label %loop

loop:
  ; Tile i is copied, the one before it multiplied.
  %i = phi i64 [ 0, %entry ], [ %next, %used ]
  %c0 = phi float [ 0.0, %entry ], [ %e0, %used ]
  %c1 = phi float [ 0.0, %entry ], [ %e1, %used ]
  %c2 = phi float [ 0.0, %entry ], [ %e2, %used ]
  %c3 = phi float [ 0.0, %entry ], [ %e3, %used ]
  %exists = icmp ult i64 %i, %tiles
  %size = select i1 %exists, i32 16, i32 0
  %which = and i64 %i, 1
  %stage = mul i64 %which, 768
  %to_stage = getelementptr i8, ptr addrspace(3) @stages, i64 %stage
  %k0 = shl i64 %i, 4
  %from_row = mul i64 %copy_row, %k
  %from_half = shl i64 %copy_half, 3
  %from_k = add i64 %k0, %from_half
  %from_at = add i64 %from_row, %from_k
  %from_a = getelementptr bfloat, ptr addrspace(1) %a, i64 %from_at
  %to_a = getelementptr i8, ptr addrspace(3) %to_stage, i64 %copy_to
  call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) %to_a, ptr addrspace(1) %from_a, i32 %size)
  br i1 %copies_b, label %start_b, label %started

start_b:
  %from_b_row = add i64 %k0, %lane
  %from_b_at = shl i64 %from_b_row, 3
  %from_b = getelementptr bfloat, ptr addrspace(1) %b, i64 %from_b_at
  %to_b = getelementptr i8, ptr addrspace(3) %to_stage, i64 %copy_b_to
  call void @llvm.nvvm.cp.async.ca.shared.global.16.s(ptr addrspace(3) %to_b, ptr addrspace(1) %from_b, i32 %size)
  br label %started

started:
  call void @llvm.nvvm.cp.async.commit.group()
  %first = icmp eq i64 %i, 0
  br i1 %first, label %used, label %multiply

multiply:
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  call void @llvm.nvvm.bar.warp.sync(i32 -1) ; until all have what they copied
  %before = sub i64 %i, 1
  %which_now = and i64 %before, 1
  %stage_now = mul i64 %which_now, 768
  %in_stage = getelementptr i8, ptr addrspace(3) @stages, i64 %stage_now
  %a_row = getelementptr i8, ptr addrspace(3) %in_stage, i64 %a_at
  %b_row = getelementptr i8, ptr addrspace(3) %in_stage, i64 %b_at
  %fa = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %a_row)
  %fb = call { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16.p3(ptr addrspace(3) %b_row)
  %a0 = extractvalue { i32, i32, i32, i32 } %fa, 0
  %a1 = extractvalue { i32, i32, i32, i32 } %fa, 1
  %a2 = extractvalue { i32, i32, i32, i32 } %fa, 2
  %a3 = extractvalue { i32, i32, i32, i32 } %fa, 3
  %b0 = extractvalue { i32, i32 } %fb, 0
  %b1 = extractvalue { i32, i32 } %fb, 1
  %d = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float %c0, float %c1, float %c2, float %c3)
  %d0 = extractvalue { float, float, float, float } %d, 0
  %d1 = extractvalue { float, float, float, float } %d, 1
  %d2 = extractvalue { float, float, float, float } %d, 2
  %d3 = extractvalue { float, float, float, float } %d, 3
  call void @llvm.nvvm.bar.warp.sync(i32 -1) ; until all have used the stage
  br label %used

used:
  %e0 = phi float [ %c0, %started ], [ %d0, %multiply ]
  %e1 = phi float [ %c1, %started ], [ %d1, %multiply ]
  %e2 = phi float [ %c2, %started ], [ %d2, %multiply ]
  %e3 = phi float [ %c3, %started ], [ %d3, %multiply ]
  %next = add i64 %i, 1
  %more = icmp ule i64 %next, %tiles
  br i1 %more, label %loop, label %end

end:
  %group = lshr i64 %lane, 2
  %member = and i64 %lane, 3
  %c_column = shl i64 %member, 1
  %c_line = shl i64 %group, 3
  %c_at = add i64 %c_line, %c_column
  %c_upper = getelementptr float, ptr addrspace(1) %c, i64 %c_at
  %c_lower = getelementptr float, ptr addrspace(1) %c_upper, i64 64
  %upper0 = insertelement <2 x float> poison, float %e0, i64 0
  %upper = insertelement <2 x float> %upper0, float %e1, i64 1
  %lower0 = insertelement <2 x float> poison, float %e2, i64 0
  %lower = insertelement <2 x float> %lower0, float %e3, i64 1
  store <2 x float> %upper, ptr addrspace(1) %c_upper, align 8
  store <2 x float> %lower, ptr addrspace(1) %c_lower, align 8
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.bar.warp.sync(i32)
declare void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.ca.shared.global.16.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32)
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16.p3(ptr addrspace(3))
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32, i32, i32, i32, i32, i32, float, float, float, float)
