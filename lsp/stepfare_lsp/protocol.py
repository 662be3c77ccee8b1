"""LSP's own protocol with what this server needs besides: its own methods as they come, and an answer to what cannot be read."""

from __future__ import annotations

from typing import Any

from pygls.exceptions import JsonRpcException
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol

from stepfare_lsp.wire import TO_SERVER


class Protocol(LanguageServerProtocol):
    """pygls' protocol, which also answers requests that it cannot read (who asked would else wait for ever), and reads ours as models."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        method = data.get("method")
        if "jsonrpc" in data and isinstance(method, str) and method in TO_SERVER:
            version, params = data["jsonrpc"], data.get("params")
            if "id" in data:
                return JsonRPCRequestMessage(id=data["id"], method=method, jsonrpc=version, params=params)
            return JsonRPCNotification(method=method, jsonrpc=version, params=params)
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if isinstance(data.get("id"), int | str) and "method" in data:
                self._send_response(data["id"], None, error.to_response_error())
            raise
