; c[m, n] = a[m, k] · b[k, n] in f32: a block of 16 × 16 threads for a tile of c, tiles of a and b in shared memory.
target triple = "nvptx64-nvidia-cuda"

@tile_a = internal addrspace(3) global [256 x float] undef, align 16
@tile_b = internal addrspace(3) global [256 x float] undef, align 16

define ptx_kernel void @matmul(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c, i64 %m, i64 %n, i64 %k) "nvvm.maxntid"="16,16" {
entry:
  %tx32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %ty32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.y()
  %bx32 = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %by32 = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %tx = zext i32 %tx32 to i64
  %ty = zext i32 %ty32 to i64
  %bx = zext i32 %bx32 to i64
  %by = zext i32 %by32 to i64
  %row0 = shl i64 %by, 4
  %row = add i64 %row0, %ty
  %col0 = shl i64 %bx, 4
  %col = add i64 %col0, %tx
  %row_in = icmp ult i64 %row, %m
  %col_in = icmp ult i64 %col, %n
  %line = shl i64 %ty, 4
  %own = add i64 %line, %tx
  %to_a = getelementptr float, ptr addrspace(3) @tile_a, i64 %own
  %to_b = getelementptr float, ptr addrspace(3) @tile_b, i64 %own
  br label %tiles

tiles:
  %start = phi i64 [ 0, %entry ], [ %next, %used ]
  %sum = phi float [ 0.0, %entry ], [ %sum_next, %used ]
  %more = icmp ult i64 %start, %k
  br i1 %more, label %load_a, label %end

load_a:
  %ka = add i64 %start, %tx
  %ka_in = icmp ult i64 %ka, %k
  %a_in = and i1 %row_in, %ka_in
  br i1 %a_in, label %read_a, label %have_a

read_a:
  %a_row = mul i64 %row, %k
  %a_at = add i64 %a_row, %ka
  %a_from = getelementptr float, ptr addrspace(1) %a, i64 %a_at
  %a_read = load float, ptr addrspace(1) %a_from
  br label %have_a

have_a:
  %a_value = phi float [ 0.0, %load_a ], [ %a_read, %read_a ]
  store float %a_value, ptr addrspace(3) %to_a
  %kb = add i64 %start, %ty
  %kb_in = icmp ult i64 %kb, %k
  %b_in = and i1 %col_in, %kb_in
  br i1 %b_in, label %read_b, label %have_b

read_b:
  %b_row = mul i64 %kb, %n
  %b_at = add i64 %b_row, %col
  %b_from = getelementptr float, ptr addrspace(1) %b, i64 %b_at
  %b_read = load float, ptr addrspace(1) %b_from
  br label %have_b

have_b:
  %b_value = phi float [ 0.0, %have_a ], [ %b_read, %read_b ]
  store float %b_value, ptr addrspace(3) %to_b
  call void @llvm.nvvm.barrier0() ; until the tiles are loaded
  br label %dot

dot:
  %q = phi i64 [ 0, %have_b ], [ %q_next, %dot ]
  %acc = phi float [ %sum, %have_b ], [ %sum_next, %dot ]
  %at_a = add i64 %line, %q
  %from_a = getelementptr float, ptr addrspace(3) @tile_a, i64 %at_a
  %x = load float, ptr addrspace(3) %from_a
  %line_b = shl i64 %q, 4
  %at_b = add i64 %line_b, %tx
  %from_b = getelementptr float, ptr addrspace(3) @tile_b, i64 %at_b
  %y = load float, ptr addrspace(3) %from_b
  %sum_next = call float @llvm.fma.f32(float %x, float %y, float %acc)
  %q_next = add i64 %q, 1
  %again = icmp ult i64 %q_next, 16
  br i1 %again, label %dot, label %used

used:
  call void @llvm.nvvm.barrier0() ; until the tiles are used
  %next = add i64 %start, 16
  br label %tiles

end:
  %c_in = and i1 %row_in, %col_in
  br i1 %c_in, label %write, label %done

write:
  %c_row = mul i64 %row, %n
  %c_at = add i64 %c_row, %col
  %c_to = getelementptr float, ptr addrspace(1) %c, i64 %c_at
  store float %sum, ptr addrspace(1) %c_to
  br label %done

done:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare void @llvm.nvvm.barrier0()
declare float @llvm.fma.f32(float, float, float)
