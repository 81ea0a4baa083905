"""Ask with Triton's own client, which knows nothing of receipts.

Run: python -m examples.serving.ask_triton HOST:PORT MODEL QUESTION.npz

Through `veridical proxy` every answer that arrives was verified, and anything else is an error.
Straight from a gateway the same lines run, and nothing is verified: the receipt is in the response,
for whoever looks at it.
"""

from __future__ import annotations

import sys

import numpy as np
from tritonclient import http
from tritonclient.utils import np_to_triton_dtype


def main(address: str, model: str, question: str) -> None:
    """Ask once."""
    client = http.InferenceServerClient(address)
    inputs = []
    with np.load(question) as arrays:
        for name in arrays.files:
            array = arrays[name]
            tensor = http.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
    result = client.infer(model, inputs)
    response = result.get_response()
    for output in response["outputs"]:
        print(f"{output['name']} = {np.array2string(result.as_numpy(output['name']), precision=4)}")
    print(f"{response['parameters']['tier']}: {response['parameters']['receipt_id']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
