#!/usr/bin/python3
"""Records what scapy makes of each line of scapy-cases.txt: /usr/bin/python3 test/packet/record-scapy.py (needs python3-scapy)."""
import json
import logging
import os

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import *  # noqa: E402,F401,F403
from scapy.contrib.igmp import IGMP  # noqa: E402,F401

here = os.path.dirname(os.path.abspath(__file__))
out = []
with open(os.path.join(here, "scapy-cases.txt")) as cases:
    for line in cases:
        text = line.rstrip("\n")
        if text == "" or text.startswith("#"):
            continue
        try:
            p = eval(text)
            out.append({"text": text, "hex": bytes(p if isinstance(p, (Packet, bytes)) else Raw(p)).hex()})
        except Exception as e:
            raise SystemExit("%s\n  %s: %s" % (text, type(e).__name__, e))
with open(os.path.join(here, "scapy.json"), "w") as f:
    f.write("[\n" + ",\n".join("\t" + json.dumps(c) for c in out) + "\n]\n")
print(len(out), "cases, scapy", conf.version)
