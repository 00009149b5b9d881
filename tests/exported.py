"""A tiny encoder, and the same as an ONNX file."""

import torch


class Exported(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Conv2d(3, 8, 16, 16)

    def forward(self, images):
        x = self.layer(images)
        return x, x.mean((2, 3)) * 2


def write_onnx(model, path):
    from onnx import TensorProto, checker, helper, numpy_helper, save_model

    weight, bias = (numpy_helper.from_array(p.detach().numpy(), n) for n, p in model.layer.named_parameters())
    nodes = [
        helper.make_node("Conv", ["images", "weight", "bias"], ["grid"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("ReduceMean", ["grid"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "mean"], ["pooled"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 64])],
        [
            helper.make_tensor_value_info("grid", TensorProto.FLOAT, ["batch", 8, 4, 4]),
            helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 8]),
        ],
        [weight, bias],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(proto)
    save_model(proto, path)
