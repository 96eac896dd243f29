// What `/openapi.json` says of each answer is so: every field has its type, and there is no field that it does not name.

import assert from 'node:assert/strict'
import Ajv from 'ajv/dist/2020.js'

/** Fields that are named are all that there are. */
function closed (schema) {
  if (Array.isArray(schema)) return schema.map(closed)
  if (schema === null || typeof schema !== 'object') return schema
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]))
  return parts.properties && !parts.additionalProperties ? { ...parts, additionalProperties: false } : parts
}

/** Asks for every JSON that is described, with these values in the places of its address; what is not as described. */
export async function asDescribed (node, values) {
  const { paths, components } = await fetch(`${node.url}/openapi.json`).then(answer => answer.json())
  const ajv = new Ajv({ strict: false, allErrors: true })
  ajv.addSchema({ $id: 'node', components: closed(components) })
  const faults = []
  for (const [path, { get }] of Object.entries(paths).filter(([path]) => path.endsWith('.json'))) {
    const described = get.responses['200'].content['application/json'].schema
    const schema = JSON.parse(JSON.stringify(closed(described)).replaceAll('"#/components/', '"node#/components/'))
    const validate = ajv.compile(schema)
    for (const given of [values].flat()) {
      const names = [...path.matchAll(/{(\w+)}/g)].map(([, name]) => name)
      if (names.some(name => !(name in given)) || (path.startsWith('/model/') && given.hash)) continue
      const address = names.reduce((address, name) => address.replace(`{${name}}`, given[name]), path)
      const answer = await fetch(`${node.url}${address}`)
      assert.equal(answer.status, 200, address)
      if (validate(await answer.json())) continue
      const errors = validate.errors.filter(({ keyword }) => keyword !== 'anyOf').slice(0, 6)
      faults.push(...errors.map(({ instancePath, message, params }) =>
        `${path} is not as described: ${instancePath} ${message} ${params.additionalProperty ?? ''}`))
    }
  }
  return faults
}
