import torch


def repeat_kv(x, n_rep):
    b, h, s, d = x.shape
    return x[:, :, None, :, :].expand(b, h, n_rep, s, d).reshape(b, h * n_rep, s, d)


def gqa(q, k, v, num_heads: int, num_kv_heads: int):
    """Grouped query attention on packed projections."""
    B, S, E = q.shape
    head_dim = E // num_heads
    q = q.view(B, S, num_heads, head_dim).transpose(1, 2)
    k = k.view(B, S, num_kv_heads, head_dim).transpose(1, 2)
    v = v.view(B, S, num_kv_heads, head_dim).transpose(1, 2)
    k = repeat_kv(k, num_heads // num_kv_heads)
    v = repeat_kv(v, num_heads // num_kv_heads)
    att = torch.softmax(q @ k.transpose(2, 3) * head_dim**-0.5, dim=-1)
    return (att @ v).transpose(1, 2).reshape(B, S, E)
