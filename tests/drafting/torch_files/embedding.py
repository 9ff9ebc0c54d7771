import torch


def embed(input_ids: torch.LongTensor, table: torch.Tensor, pos_emb: torch.Tensor):
    batch, seq_len = input_ids.shape
    return table[input_ids] + pos_emb[:seq_len]
