"""Which operation each kernel of TritonBench-G is, and which operations are held out: drawn up before any fitting."""

from __future__ import annotations

import zlib

FAMILIES: dict[str, str] = {
    "vector_add": "add_example vector_addition vector_addition_custom",
    "trigonometry": "sin_computation sin_kernel cosine_compute",
    "relu": "relu_triton_kernel relu_strided_buffer",
    "attention": "attention_forward_triton attention_fwd_triton1 attention_fwd_triton2 attention_fwd_triton3 "
    "attention_kernel attention_kernel_aligned attention_llama attention_score attn_fwd_causal attn_fwd_triton "
    "flash_attn triton_attention parallel_attention block_sparse_attn mixed_sparse_attention",
    "context_attention": "context_attn_bloom context_attn_fwd context_attn_llama context_attn_mistral "
    "context_attn_nopad",
    "decode_attention": "flash_decode2_llama flash_decode2_phi",
    "token_attention": "token_attn_llama2 token_attn_mistral token_attn_reduceV softmax_reducev token_softmax_bloom "
    "token_softmax_llama",
    "matmul": "matmul_kernel matmul_leakyrelu matmul_leakyrelu_fp8 matmul_persistent_triton matmul_tma matmul_triton1 "
    "matmul_triton2 matmul_triton_autotune streamk_matmul triton_matmul iv_dependent_matmul triton_linear_activation "
    "bmm_optimized",
    "quantised_matmul": "dequantize_matmul int4_matmul int8_dequant_matmul int8_matmul_kernel int8_matmul_quantization "
    "int_scaled_matmul matmul_dequant_int4 matmul_dequantize matmul_dequantize_int4",
    "softmax": "softmax_flaggems softmax_optimize softmax_triton1 softmax_triton2 softmax_triton3 triton_softmax "
    "ksoftmax_triton log_softmax",
    "cross_entropy": "cross_entropy1 cross_entropy2 cross_entropy_ops fast_ce_loss",
    "layer_norm": "fast_layernorm fused_layernorm_triton layer_norm_fwd layer_norm_liger layer_norm_ops "
    "layer_norm_triton layer_norm_welfold layernorm_fwd_triton",
    "rms_norm": "fast_rms_layernorm rms_norm_triton rmsnorm_fused rmsnorm_fused_llama rmsnorm_implementation "
    "rmsnorm_triton",
    "rms_matmul": "rms_matmul_rbe rms_rbe_matmul",
    "l2_norm": "l2_norm_bwd l2_norm_triton1 l2_norm_triton2",
    "rope": "fast_rope_embedding fused_rotary_embedding rbe_triton_transform rope_backward_transform rope_embedding "
    "rope_transform rotary_emb rotary_emb_nopad rotary_transform rotary_transform_ops",
    "kv_copy": "destindex_copy destindex_copy_kv1 destindex_copy_kv2 kcache_copy_triton kv_cache_copy kv_cache_filling "
    "quantize_copy_kv quantize_kv_copy quantize_kv_transform",
    "kl_divergence": "kldiv_compute kldiv_ops kldiv_triton",
    "swiglu": "swiglu_backward swiglu_fwd swiglu_triton geglu_tanh_triton",
    "dropout": "dropout_triton seeded_dropout",
    "fp4": "fp4_to_bf16 fp4_to_bf16_conversion",
    "cumsum": "chunk_cumsum_kernel chunk_cumsum_vector chunked_cumsum_fwd reversed_cumsum reversed_cumsum_scalar "
    "decay_cumsum",
    "linear_attention": "chunk_bwd_dqkg chunk_delta_fwd chunk_gate_recurrence chunk_gated_attention chunk_gla_fwd "
    "chunk_gla_simple chunk_linear_attn chunk_retention chunk_retention_ops parallel_retention_attention "
    "lightning_attention",
    "recurrence": "fused_recurrent_delta fused_recurrent_hgrn fused_recurrent_retention fused_rwkv6_kernel "
    "diag_ssm_triton",
    "bmm_chunk": "bmm_chunk_bwd bmm_chunk_fwd",
    "lora": "bgmv_expand_slice bgmv_shrink_kernel lora_expand_gemv sgmv_expand_slice",
    "index_select": "index_select_bwd index_select_cat embedding_triton_kernel",
    "reduction": "matrix_reduction max_reduction mean_reduction triton_argmax logsumexp_fwd",
    "quantise": "dequantize_rowwise rowwise_quantization_triton quantize_global quant_transpose_kernel "
    "int8_quantization",
    "masked": "masked_add_cuda masked_select",
    "vector_matrix": "matrix_vector_multip batched_vecmat_mult",
}
"""Every other kernel is an operation of its own."""

_OF = {kernel: family for family, kernels in FAMILIES.items() for kernel in kernels.split()}


def family(kernel: str) -> str:
    """The operation that a kernel is."""
    return _OF.get(kernel, kernel)


def held_out(kernel: str) -> bool:
    """Whether its errors are not to be looked at while the model is fitted."""
    return zlib.crc32(family(kernel).encode()) % 2 == 1
