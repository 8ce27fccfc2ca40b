"""exec, attach, cp, port-forward, logs and watch by the official Python client.

    python streams.py KUBECONFIG POD

Prints a line for each case, and ends with 1 when one of them fails. The pod serves HTTP on 8080.
"""

import io
import sys
import tarfile
import threading
import traceback

from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream

NAMESPACE = 'default'
LIMIT_SECONDS = 20


def cases(api, pod):
    def run(command, **more):
        options = {'stdin': False, 'stdout': True, 'stderr': True, 'tty': False, **more}
        return stream(api.connect_get_namespaced_pod_exec, pod, NAMESPACE, command=command,
                      _preload_content=False, **options)

    def exec_gives_outputs_and_code():
        session = run(['sh', '-c', 'echo out; echo err >&2; exit 7'])
        session.run_forever(timeout=LIMIT_SECONDS)
        assert session.read_stdout() == 'out\n'
        assert session.read_stderr() == 'err\n'
        assert session.returncode == 7, session.returncode

    def exec_takes_input():
        session = run(['head', '-n', '1'], stdin=True)
        session.write_stdin('over there\n')
        session.run_forever(timeout=LIMIT_SECONDS)
        assert session.read_stdout() == 'over there\n'
        assert session.returncode == 0

    def exec_tells_its_code_while_input_is_sent():
        session = run(['sh', '-c', 'head -c 100000 >/dev/null; exit 9'], stdin=True)
        try:
            while session.is_open():
                session.write_stdin('x' * 32768)
                session.update(timeout=0)
        except Exception:
            pass  # The other side has closed: what counts is what it said before.
        session.run_forever(timeout=LIMIT_SECONDS)
        assert session.returncode == 9, session.returncode

    def exec_says_what_is_not_there():
        session = run(['no-such-program'])
        session.run_forever(timeout=LIMIT_SECONDS)
        text = session.read_channel(3)
        assert text.count('executable file not found') <= 2, text
        assert 'executable file not found' in text, text
        assert session.read_stderr() == ''

    def attach_shows_what_is_written():
        session = stream(api.connect_get_namespaced_pod_attach, pod, NAMESPACE, stdout=True,
                         stderr=True, stdin=False, tty=False, _preload_content=False)
        assert session.is_open()
        session.close()

    def cp_there_and_back():
        content = b'kedge' * 100_000
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode='w') as tar:
            entry = tarfile.TarInfo('from-python')
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        # This client cannot say that its input ends.
        size = len(packed.getvalue())
        session = run(['sh', '-c', f'head -c {size} | tar xf - -C /tmp'], stdin=True, binary=True)
        session.write_stdin(packed.getvalue())
        session.run_forever(timeout=LIMIT_SECONDS)
        assert session.returncode == 0, session.returncode
        session = run(['cat', '/tmp/from-python'], binary=True)
        session.run_forever(timeout=LIMIT_SECONDS)
        assert session.read_stdout() == content

    def port_forward_carries_and_ends():
        for _ in range(3):
            forward = portforward(api.connect_get_namespaced_pod_portforward, pod, NAMESPACE,
                                  ports='8080')
            socket = forward.socket(8080)
            socket.settimeout(LIMIT_SECONDS)
            socket.sendall(b'GET /index.html HTTP/1.0\r\n\r\n')
            answer = b''
            while True:
                part = socket.recv(65536)
                if not part:
                    break
                answer += part
            assert answer.endswith(b'hello from kedge\n'), answer
            assert forward.error(8080) is None

    def port_forward_says_why():
        forward = portforward(api.connect_get_namespaced_pod_portforward, pod, NAMESPACE,
                              ports='9')
        socket = forward.socket(9)
        socket.settimeout(LIMIT_SECONDS)
        assert socket.recv(1) == b''
        assert 'connection refused' in forward.error(9), forward.error(9)

    def logs_come_whole_and_as_they_are_written():
        run(['sh', '-c', 'echo from-python >/proc/1/fd/1']).run_forever(timeout=LIMIT_SECONDS)
        follow = watch.Watch()
        for line in follow.stream(api.read_namespaced_pod_log, pod, NAMESPACE):
            if line == 'from-python':
                follow.stop()
        assert 'from-python' in api.read_namespaced_pod_log(pod, NAMESPACE)

    def watch_tells_what_changes():
        name = 'from-python'
        changes = watch.Watch()
        seen = []
        start = api.list_namespaced_config_map(NAMESPACE).metadata.resource_version
        api.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(
            metadata=client.V1ObjectMeta(name=name), data={'a': '1'}))
        api.delete_namespaced_config_map(name, NAMESPACE)
        for event in changes.stream(api.list_namespaced_config_map, NAMESPACE,
                                    resource_version=start, timeout_seconds=LIMIT_SECONDS):
            if event['object'].metadata.name == name:
                seen.append(event['type'])
            if seen == ['ADDED', 'DELETED']:
                changes.stop()
        assert seen == ['ADDED', 'DELETED'], seen

    return [case for case in locals().values() if callable(case) and case is not run]


def attempt(case):
    """None when it passed; else why not. One that hangs is given up."""
    result = ['did not end']

    def body():
        try:
            case()
            result[0] = None
        except BaseException:
            result[0] = traceback.format_exc()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(LIMIT_SECONDS + 10)
    return result[0]


def main():
    kubeconfig, pod = sys.argv[1:]
    config.load_kube_config(kubeconfig)
    failures = 0
    for case in cases(client.CoreV1Api(), pod):
        why = attempt(case)
        failures += why is not None
        print(f'{"ok" if why is None else "FAILED"} {case.__name__} {why or ""}', flush=True)
    sys.exit(1 if failures else 0)


main()
